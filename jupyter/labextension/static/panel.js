/* The panel: pending changes, the processes that use packages, and the history, with buttons to cancel and to undo.
 *
 * Text from the server is only ever set as text. The panel is not modal: Escape or a click beside it closes it. */

const FEW = 8; // rows of the history that are shown at once
const NAMES = 12; // distributions that are named for a process

function element(tag, properties = {}, ...children) {
  const { className, text, attributes = {}, ...others } = properties;
  const made = document.createElement(tag);
  Object.assign(made, others, className ? { className } : {}, text === undefined ? {} : { textContent: text });
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children.filter(Boolean));
  return made;
}

function describe(change) {
  if (!change.new_version) {
    return `${change.name} ${change.old_version || ''} removed`;
  }
  return change.old_version
    ? `${change.name} ${change.old_version} \u2192 ${change.new_version}`
    : `${change.name} ${change.new_version}`;
}

function few(names, most) {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function moment(seconds) {
  return seconds ? new Date(seconds * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' }) : '';
}

export class Panel {
  /* `anchor` is the item that opens it; `notebook` has its `name()`, and `restart()` or null. */
  constructor(lab, state, anchor, notebook) {
    this._lab = lab;
    this._state = state;
    this._anchor = anchor;
    this._notebook = notebook;
    this._history = null;
    this._all = false;
    this._message = '';
    this._node = null;
    this._pressed = false;
    this._resized = () => this._place();
    this._beside = event => {
      if (this._node && !this._node.contains(event.target) && !event.target.closest('.liveinstall-item, .jp-Dialog')) {
        this.close();
      }
    };
  }

  toggle() {
    if (this._node) {
      this.close();
    } else {
      this.open();
    }
  }

  open() {
    if (this._node) {
      return;
    }
    Object.assign(this, { _history: null, _all: false, _message: '', _came: document.activeElement });
    const label = { role: 'dialog', 'aria-labelledby': 'liveinstall-title', tabindex: '-1' };
    this._node = element('div', { className: 'liveinstall-panel', attributes: label });
    this._node.addEventListener('keydown', event => {
      event.stopPropagation(); // the notebook has a shortcut for every letter
      if (event.key === 'Escape') {
        this.close();
      }
    });
    this._watchPresses();
    document.body.append(this._node);
    document.addEventListener('pointerdown', this._beside, true);
    window.addEventListener('resize', this._resized);
    this._anchor.setAttribute('aria-expanded', 'true');
    this.update();
    this._node.focus();
    this._state.look({ fresh: true });
    this._load();
  }

  close() {
    if (!this._node) {
      return;
    }
    const hadFocus = this._node.contains(document.activeElement);
    document.removeEventListener('pointerdown', this._beside, true);
    window.removeEventListener('resize', this._resized);
    this._node.remove();
    this._node = null;
    this._anchor.removeAttribute('aria-expanded');
    if (hadFocus && this._came && this._came.isConnected) {
      this._came.focus();
    }
  }

  async _load() {
    try {
      this._history = await this._state.get('history');
    } catch (error) {
      this._history = [];
      this._message = error.message;
    }
    this.update();
  }

  /* A button that is replaced between press and release gets no click. */
  _watchPresses() {
    const release = () =>
      setTimeout(() => {
        this._pressed = false;
        this.update();
      }); // after the click
    this._pressed = false;
    this._node.addEventListener('pointerdown', () => {
      this._pressed = true;
      ['pointerup', 'pointercancel'].forEach(name => document.addEventListener(name, release, { once: true }));
    });
  }

  /* Redraw it, and keep the focus; not while a pointer is pressed in it. */
  update() {
    if (!this._node || this._pressed) {
      return;
    }
    const focused = document.activeElement && document.activeElement.dataset.liveinstall;
    const scrolled = this._node.scrollTop;
    const status = this._state.status;
    const parts = status ? [...this._pending(status), ...this._holders(status), ...this._past()] : [this._missing()];
    this._node.replaceChildren(this._header(status), ...parts.filter(Boolean));
    this._node.scrollTop = scrolled;
    if (focused) {
      const buttons = [...this._node.querySelectorAll('button')];
      (buttons.find(each => each.dataset.liveinstall === focused) || this._node).focus();
    }
    this._place();
  }

  /* Next to the item: above it in a status bar, below it in a top bar. */
  _place() {
    const box = this._anchor.getBoundingClientRect();
    const style = this._node.style;
    const isAtTop = box.width > 0 && box.top < window.innerHeight / 2;
    const left = box.width > 0 ? box.left : window.innerWidth;
    style.left = `${Math.max(8, Math.min(left, window.innerWidth - this._node.offsetWidth - 8))}px`;
    style.top = isAtTop ? `${box.bottom + 4}px` : '';
    style.bottom = isAtTop ? '' : `${box.width > 0 ? window.innerHeight - box.top + 4 : 32}px`;
  }

  _button(text, key, act, attributes = {}) {
    const made = element('button', { type: 'button', className: 'liveinstall-button', text, attributes });
    made.dataset.liveinstall = key;
    made.addEventListener('click', act);
    return made;
  }

  _header(status) {
    const close = this._button('\u00d7', 'close', () => this.close(), { 'aria-label': 'Close', title: 'Close (Esc)' });
    close.classList.add('liveinstall-close');
    return element(
      'header',
      {},
      element('h2', { id: 'liveinstall-title', text: `Packages of ${this._notebook.name()}` }),
      close,
      status && element('code', { text: status.target.site }),
      element('p', { className: 'liveinstall-message', text: this._message, attributes: { role: 'status' } })
    );
  }

  _missing() {
    const error = this._state.error;
    return element('p', { text: error ? error.message : 'Asking the environment of the kernel \u2026' });
  }

  _pending(status) {
    if (!status.pending.length) {
      return [element('h3', { text: 'Pending changes' }), element('p', { text: 'No pending changes.' })];
    }
    const names = status.pending.flatMap(item => item.changes.map(change => change.name));
    const restart = helpsRestart(status, names) && this._notebook.restart;
    const buttons = [
      restart && this._button('Restart Kernel \u2026', 'restart', restart),
      names.length > 1 && this._button('Cancel All', 'cancel', () => this._cancel(names, []))
    ];
    return [
      element('h3', { text: 'Pending changes' }),
      ...status.pending.map(item => this._transaction(item)),
      element('div', { className: 'liveinstall-actions' }, ...buttons)
    ];
  }

  _transaction(item) {
    const failed = item.state === 'failed';
    const rows = item.changes.map(change =>
      element(
        'li',
        {},
        element('span', { className: 'liveinstall-what' }, element('b', { text: describe(change) }), reasonOf(change)),
        this._button('Cancel', `cancel ${change.name}`, () => this._cancel([change.name], [change.name]), {
          'aria-label': `Cancel ${change.name}`
        })
      )
    );
    const why = failed ? 'Set aside, because it could not be applied' : item.waits_for && 'Waiting for';
    const text = why && `${why}${item.waits_for ? `: ${item.waits_for}` : ''}`;
    return element(
      'div',
      { className: failed ? 'liveinstall-failed' : '' },
      element('ul', {}, ...rows),
      text && element('p', { className: 'liveinstall-reason', text })
    );
  }

  _holders(status) {
    if (!status.holders.length) {
      return [];
    }
    const rows = status.holders.map(holder => {
      const used = holder.uses === null ? 'its distributions are not known' : few(holder.distributions, NAMES);
      const text = used || 'none of its distributions yet';
      const who = element('b', { text: holder.who, title: `pid ${holder.pid}: ${holder.command}` });
      return element('li', {}, element('span', { className: 'liveinstall-what' }, who, element('small', { text })));
    });
    return [element('h3', { text: 'In use by' }), element('ul', {}, ...rows)];
  }

  _past() {
    const head = element('h3', { text: 'History' });
    if (this._history === null) {
      return [head, element('p', { text: 'Checking what can be undone \u2026' })];
    }
    if (!this._history.length) {
      return [head, element('p', { text: 'No transactions yet.' })];
    }
    const shown = this._all ? this._history : this._history.slice(0, FEW);
    const more = this._history.length - shown.length;
    const rows = element('ul', {}, ...shown.map(past => this._pastRow(past)));
    const all = () => {
      this._all = true;
      this.update();
    };
    return [head, rows, more > 0 && this._button(`Show ${more} more`, 'more', all)];
  }

  _pastRow(past) {
    const changes = past.changes.map(describe);
    const what = element('b', { text: few(changes, 3), title: changes.join('\n') });
    const why = past.undoable ? '' : ` \u00b7 cannot be undone: ${past.why_not}`;
    const when = element('small', { text: `${moment(past.when)}${why}` });
    const label = { 'aria-label': `Undo ${few(changes, 3)}, ${moment(past.when)}` };
    return element(
      'li',
      {},
      element('span', { className: 'liveinstall-what' }, what, when),
      past.undoable && this._button('Undo', `undo ${past.transaction}`, () => this._undo(past), label)
    );
  }

  _cancel(shown, names) {
    const body = `Cancel the pending changes of ${few(shown, 6)}? The installed versions stay as they are.`;
    const words = ['Cancel pending changes?', body, 'Cancel Changes'];
    const act = () => this._state.post('cancel', { names });
    return this._act(words, act, done => `Cancelled: ${few(done.map(describe), 4)}.`);
  }

  _undo(past) {
    const what = `Undo ${few(past.changes.map(describe), 6)}, applied ${moment(past.when)}?`;
    const words = ['Undo this transaction?', `${what} What is in use is restored at the next restart.`, 'Undo'];
    const act = () => this._state.post('undo', { transaction: past.transaction });
    return this._act(words, act, done =>
      done.staged.length ? 'The undo is pending until the next restart.' : 'Undone.'
    );
  }

  /* Ask for consent, act, and show the outcome. */
  async _act([title, body, label], act, told) {
    const { Dialog, showDialog } = this._lab.apputils;
    const buttons = [Dialog.cancelButton({ label: 'Keep' }), Dialog.warnButton({ label })];
    const answer = await showDialog({ title, body, buttons, defaultButton: 0 });
    if (!this._node) {
      return;
    }
    this._node.focus();
    if (!answer.button.accept) {
      return;
    }
    this._message = 'Working \u2026';
    this._node.classList.add('liveinstall-busy');
    this.update();
    try {
      this._message = told(await act());
    } catch (error) {
      this._message = error.message;
    }
    if (this._node) {
      this._node.classList.remove('liveinstall-busy');
      this.update();
    }
    this._state.look({ fresh: true });
    await this._load();
  }
}

/* Whether a restart of the kernel applies the changes: not if the Jupyter server uses the changed packages. */
function helpsRestart(status, names) {
  const isServer = holder => holder.who.startsWith('the Jupyter server');
  const serverUses = status.holders.filter(isServer).flatMap(holder => holder.distributions);
  return status.restart_required && !names.some(name => serverUses.includes(name));
}

function reasonOf(change) {
  return change.reason ? element('small', { text: change.reason }) : null;
}
