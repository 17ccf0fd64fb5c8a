"""The examples in the help of each command, without the program."""

from __future__ import annotations

from liveinstall._frontends.cli import archive_verbs, cluster_verbs, home_verbs, sidebyside_verbs

EXAMPLES = {
    "install": (
        "install rich 'numpy>=2'",
        "install -U pandas",
        "upgrade pandas",
        "install -r requirements.txt -c limits.txt -e .",
    ),
    "plan": ("plan -U pandas", "plan --prefer loaded scikit-learn"),
    "ensure": ("ensure 'rich>=13' 'httpx[http2]'", "ensure --requester my-plugin --protect 'numpy<3' scikit-image"),
    "uninstall": ("uninstall pandas", "uninstall -y -r requirements.txt", "uninstall --with-unused pandas"),
    "list": ("list", 'list "jupyter*"', "list --json", "list --not-required --format=freeze", "list --outdated"),
    "show": ("show requests",),
    "freeze": ("freeze > requirements.txt", "freeze --pending", "freeze --exclude pip"),
    "check": ("check",),
    "status": ("status", "status numpy", "status --json"),
    "pending": ("pending",),
    "finalize": ("finalize", "finalize --force"),
    "cancel": ("cancel numpy", "cancel"),
    "hold": ("hold jupyter lab", "hold -- pytest -x"),
    "guard": ("guard on", "guard off"),
    "history": ("history", "history 20261121T034425-bb8e01ea"),
    "undo": ("undo", "undo 20261121T034425-bb8e01ea", "undo --to 20261121T034425-bb8e01ea"),
    "prune": ("prune --keep 2", "prune --days 30 --bytes 1000000000", "prune --all"),
    "doctor": ("doctor", "doctor rich"),
    "repair": ("repair --dry-run", "repair rich"),
    "help": ("help install", "help"),
    "completion": (
        "completion bash > ~/.local/share/bash-completion/completions/liveinstall",
        'eval "$(liveinstall completion zsh)"',
    ),
    **home_verbs.EXAMPLES,
    **archive_verbs.EXAMPLES,
    **sidebyside_verbs.EXAMPLES,
    **cluster_verbs.EXAMPLES,
}
