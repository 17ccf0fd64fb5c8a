// The buttons of a card. The card is in the page as HTML, marked with `data-liveinstall`; where the page shows only
// views of widgets (VS Code), `render` gets a separate element.

const UNANSWERED = 1000; // milliseconds without an answer after which the card says so
const LOST = 8000; // milliseconds without an answer from an idle kernel

const BUSY = "A cell is running. This is done when it has finished.";
const GONE = "The kernel was restarted since this card was shown. liveinstall.status() shows the current state.";

function make(tag, name, text) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text) node.textContent = text;
  return node;
}

function kernelOf(model) {
  return model.widget_manager?.kernel ?? null; // JupyterLab and Notebook; others do not report it
}

/** The state that the copies of one card in a page share. */
class Connection {
  constructor(model) {
    this.model = model;
    this.since = model.get("state").since;
    this.views = new Set();
    this.clicked = null; // the action that the kernel has not answered yet
    this.note = null; // the page's own message
    this.isGone = false;
    this.isOpen = false; // the details
    this.isPressed = false; // a pointer is down: a button that is replaced before its release gets no click
    this.timers = [];
    this.hear = () => this.answered();
    model.on("change:state", this.hear);
    this.watch = (_, status) => {
      if (["restarting", "autorestarting", "dead"].includes(status)) this.lose();
    };
    this.kernel = kernelOf(model);
    this.kernel?.statusChanged?.connect(this.watch);
  }

  get state() {
    return this.model.get("state");
  }

  send(action) {
    if (action !== "details") {
      this.clicked = action;
      this.note = null;
    }
    this.model.send({ action, generation: this.state.generation });
    this.timers.push(setTimeout(() => this.wait(), UNANSWERED), setTimeout(() => this.doubt(), LOST));
    this.draw();
  }

  wait() {
    const status = this.kernel?.status;
    if (status === undefined || status === "busy") this.say(status ? BUSY : "Waiting for the kernel\u2026", "busy");
  }

  doubt() {
    if (this.kernel?.status === "idle") this.lose();
  }

  say(text, tone) {
    this.note = { text, tone };
    this.draw();
  }

  answered() {
    this.timers.splice(0).forEach(clearTimeout);
    this.clicked = this.note = null;
    this.draw();
  }

  lose() {
    this.timers.splice(0).forEach(clearTimeout);
    this.clicked = null;
    this.isGone = true;
    this.say(GONE, "plain");
  }

  press() {
    this.isPressed = true;
    const release = () =>
      setTimeout(() => {
        this.isPressed = false;
        this.draw();
      }); // after the click
    for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, release, { once: true });
  }

  draw() {
    if (this.isPressed) return;
    for (const view of this.views) {
      if (view.isConnected) fill(view, this);
      else this.views.delete(view);
    }
  }

  close() {
    this.timers.splice(0).forEach(clearTimeout);
    this.model.off("change:state", this.hear);
    this.kernel?.statusChanged?.disconnect(this.watch);
  }
}

function buttons(connection) {
  const row = make("div", "liveinstall-buttons");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "liveinstall");
  const isOff = connection.state.working || connection.clicked !== null;
  for (const each of connection.isGone ? [] : connection.state.buttons) {
    const button = make("button", each.primary ? "liveinstall-primary" : "", each.label);
    button.type = "button";
    button.title = each.title;
    button.dataset.action = each.action;
    // Not `disabled`, which would lose the focus.
    button.setAttribute("aria-disabled", String(isOff));
    button.addEventListener("click", () => {
      if (!connection.clicked && !connection.state.working) connection.send(each.action);
    });
    row.append(button);
  }
  return row;
}

function details(connection) {
  const fold = make("details");
  fold.open = connection.isOpen;
  fold.append(make("summary", "", "Details"));
  for (const [title, lines] of connection.state.details ?? []) {
    fold.append(make("h4", "", title), ...lines.map((line) => make("div", "", line)));
  }
  if (!connection.state.details) fold.append(make("div", "", "They are shown when the kernel is idle."));
  fold.addEventListener("toggle", () => {
    if (fold.open === connection.isOpen) return;
    connection.isOpen = fold.open;
    if (fold.open && !connection.isGone) connection.send("details");
  });
  return fold;
}

function fill(view, connection) {
  const focused = view.contains(document.activeElement) ? document.activeElement : null;
  const action = focused?.dataset?.action;
  const isSummary = focused?.tagName === "SUMMARY";
  const { text, tone } = connection.note ?? { text: connection.state.note, tone: connection.state.tone };
  const [card, row, note, fold] = view.children;
  card.innerHTML = connection.state.html; // made by liveinstall, which escapes all external text
  row.replaceWith(buttons(connection));
  note.dataset.tone = tone;
  if (note.textContent !== text) note.textContent = text; // the same node, so that screen readers read the new text
  fold.replaceWith(details(connection));
  if (!focused) return;
  const next = isSummary ? view.querySelector("summary") : view.querySelector(`button[data-action="${action}"]`);
  (next ?? view.querySelector("button") ?? view.querySelector("summary"))?.focus();
}

function mount(view, connection) {
  view.classList.add("liveinstall-live");
  view.dataset.lmSuppressShortcuts = "true"; // Enter and the space bar press a button, and not a key of the notebook
  view.liveinstall = connection;
  const note = make("div", "liveinstall-note");
  note.setAttribute("role", "status");
  view.replaceChildren(make("div"), make("div"), note, make("details"));
  view.addEventListener("pointerdown", () => connection.press());
  connection.views.add(view);
  fill(view, connection);
}

function initialize({ model }) {
  const connection = new Connection(model);
  const selector = `[data-liveinstall="${CSS.escape(model.get("card"))}"]`;
  const find = () => {
    for (const view of document.querySelectorAll(selector)) {
      // After a restart the card has a new model; the one of the former kernel is not deleted.
      const other = view.liveinstall;
      if (other !== connection && !(other?.since > connection.since)) mount(view, connection);
    }
  };
  const observer = new MutationObserver(find);
  observer.observe(document.body, { childList: true, subtree: true });
  find();
  return () => {
    observer.disconnect();
    connection.close();
  };
}

function render({ model, el }) {
  const connection = new Connection(model);
  mount(el, connection);
  return () => connection.close();
}

export default { initialize, render };
