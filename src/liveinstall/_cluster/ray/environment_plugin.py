"""The plugin that Ray's runtime environment agent loads on each node."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys

from ray._private.runtime_env.plugin import RuntimeEnvPlugin

from liveinstall._cluster.ray.node_homes import NodeHomes
from liveinstall._cluster.ray.requested import Requested, check_others
from liveinstall._system.user_cache import user_cache
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence
    from typing import Any

_DIRECTORY, _NODE = "--runtime-env-dir", "--node-id"  # options of the agent's command line


class Plugin(RuntimeEnvPlugin):
    """Adds the field `liveinstall` to the runtime environments of Ray.

    Ray loads it on each node if the environment variable `RAY_RUNTIME_ENV_PLUGINS` is
    `[{"class": "liveinstall.cluster.ray.Plugin"}]` where the node starts. Then tasks, actors and jobs may have the
    option `runtime_env={"liveinstall": ["numpy>=2"]}`: their workers run in a home (linked environment) over the
    environment of Ray.
    """

    name = "liveinstall"

    def __init__(self) -> None:
        self._homes = NodeHomes(_directory(sys.argv))

    @staticmethod
    def validate(runtime_env_dict: Mapping[str, Any]) -> None:
        """Check the field before its environment is created.

        Args:
            runtime_env_dict: The runtime environment.

        Raises:
            ValueError: The field has a wrong type, an unknown option or an invalid requirement, or cannot be combined
                with another field.
        """
        check_others(runtime_env_dict)
        Requested.of(runtime_env_dict[Plugin.name]).check()

    def get_uris(self, runtime_env: Mapping[str, Any]) -> list[str]:
        """Return the URI of the environment.

        Ray calls this for all runtime environments, also before it validates them, and does not expect an exception.

        Args:
            runtime_env: The runtime environment.

        Returns:
            Its URI; empty without the field, or if the field is invalid.
        """
        try:
            return [Requested.of(runtime_env[self.name]).uri]
        except (KeyError, TypeError, ValueError):
            return []

    async def create(
        self,
        uri: str | None,
        runtime_env: Mapping[str, Any],
        context: Any,  # noqa: ARG002  an argument of Ray's
        logger: logging.Logger,
    ) -> int:
        """Create the home of an environment, in a thread.

        Args:
            uri: The URI of the environment.
            runtime_env: The runtime environment.
            context: Not used.
            logger: The log of Ray.

        Returns:
            The size of the home in bytes.

        Raises:
            RuntimeError: The home cannot be created; Ray shows the text to the user.
        """
        requested = Requested.of(runtime_env[self.name])
        name = uri or requested.uri
        try:
            size = await asyncio.to_thread(self._homes.make, name, requested)
        except LiveInstallError as error:
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        logger.info("liveinstall: %s is %s, %d bytes.", name, self._homes.path(name), size)
        return size

    def modify_context(
        self,
        uris: Sequence[str],
        runtime_env: Mapping[str, Any],  # noqa: ARG002  an argument of Ray's
        context: Any,
        logger: logging.Logger,  # noqa: ARG002  an argument of Ray's
    ) -> None:
        """Let the workers start with the interpreter of the home.

        Args:
            uris: The URI of the environment.
            runtime_env: The runtime environment.
            context: Ray's description of the worker process, which is changed.
            logger: The log of Ray.
        """
        for uri in uris:
            python = self._homes.python(uri)
            context.py_executable = python if os.name == "nt" else shlex.quote(python)  # Ray runs it by a shell

    def delete_uri(self, uri: str, logger: logging.Logger) -> int:
        """Remove the home of an environment that no worker uses.

        Args:
            uri: Its URI.
            logger: The log of Ray.

        Returns:
            The size of the home in bytes, as at its creation.
        """
        try:
            return self._homes.remove(uri)
        except OSError as error:
            logger.warning("liveinstall: %s could not be removed: %s", self._homes.path(uri), error)
            return 0


def _directory(arguments: Sequence[str]) -> str:
    """The directory for the homes of this node: in the directory of Ray's session, and its own.

    Several nodes on one machine may share a session, for example in tests.
    """
    options = dict(each.partition("=")[::2] for each in arguments)
    if not options.get(_DIRECTORY):  # not in the agent
        return os.path.join(user_cache(), "ray", str(os.getpid()))
    return os.path.join(options[_DIRECTORY], f"liveinstall-{options.get(_NODE, 'node')[:12]}")
