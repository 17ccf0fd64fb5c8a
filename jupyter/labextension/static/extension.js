/* The plugin: an item in the status bar, or in the top bar of a front end without one, that opens the panel. */

const COMMAND = 'liveinstall:pending-changes';
const TITLE = 'Pending Changes and History of Packages';

function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/* The label of the item: [text, whether it needs attention]. */
function labelOf(status) {
  const count = state =>
    status.pending.filter(item => item.state === state).reduce((sum, item) => sum + item.changes.length, 0);
  const [pending, failed] = [count('pending'), count('failed')];
  const parts = [pending ? plural(pending, 'pending change') : '', failed ? `${failed} set aside` : ''];
  const text = parts.filter(Boolean).join(', ');
  return [text || 'No pending changes', Boolean(text)];
}

export function plugin(lab, { Panel }, { State }) {
  const { apputils, notebook, signaling, statusbar, widgets } = lab;

  /* A button as a widget, with the properties that the status bar needs. */
  class Item extends widgets.Widget {
    constructor(open) {
      super({ node: document.createElement('button') });
      this.node.type = 'button';
      this.node.title = TITLE;
      this.node.setAttribute('aria-haspopup', 'dialog');
      this.addClass('liveinstall-item');
      this.node.addEventListener('click', open);
      this.shown = false;
      this.changed = new signaling.Signal(this);
    }

    show_(status, always) {
      const [text, calls] = status ? labelOf(status) : ['', false];
      this.node.textContent = text;
      this.toggleClass('liveinstall-calls', calls);
      this.shown = Boolean(status) && (always || calls);
      this.setHidden(!this.shown);
      this.changed.emit(undefined);
    }
  }

  function activate(app, tracker, statusBar, palette) {
    const session = () => tracker.currentWidget && tracker.currentWidget.sessionContext.session;
    const state = new State(lab, () => {
      const kernel = session() && session().kernel;
      return kernel ? kernel.id : null;
    });
    const item = new Item(() => panel.toggle());
    const restart = () => app.commands.execute('notebook:restart-kernel');
    const panel = new Panel(lab, state, item.node, {
      name: () => (tracker.currentWidget ? tracker.currentWidget.title.label : ''),
      restart: app.commands.hasCommand('notebook:restart-kernel') ? restart : null
    });
    state.onChange = () => {
      item.show_(state.status, statusBar !== null);
      panel.update();
    };
    place(app, statusBar, item);
    watch(tracker, state, panel);
    app.commands.addCommand(COMMAND, {
      label: TITLE,
      isEnabled: () => session() !== null && session() !== undefined,
      execute: () => panel.open(),
      describedBy: { args: { type: 'object', properties: {} } }
    });
    if (palette) {
      palette.addItem({ command: COMMAND, category: 'Notebook Operations' });
    }
  }

  function place(app, statusBar, item) {
    item.show_(null, false);
    if (statusBar) {
      const place = { align: 'left', rank: 100, priority: 1 }; // as the kernel's own item in a narrow window
      const facts = { isActive: () => item.shown, activeStateChanged: item.changed };
      statusBar.registerStatusItem('liveinstall:item', { item, ...place, ...facts });
    } else {
      item.id = 'liveinstall-item';
      item.addClass('liveinstall-top');
      app.shell.add(item, 'menu', { rank: 900 });
    }
  }

  /* When to send a request: another notebook or kernel, an executed cell, a kernel that has become idle. */
  function watch(tracker, state, panel) {
    const seen = new WeakSet();
    let restarted = false;
    const change = () => {
      panel.close();
      state.look();
    };
    const follow = context => {
      seen.add(context);
      context.kernelChanged.connect(change);
      context.statusChanged.connect((_, status) => {
        restarted = restarted || /start/.test(status); // starting, restarting, autorestarting
        if (status === 'idle') { // a button of a card may have changed something, without an executed cell
          state.look({ executed: restarted });
          restarted = false;
        }
      });
    };
    tracker.currentChanged.connect((_, widget) => {
      if (widget && !seen.has(widget.sessionContext)) {
        follow(widget.sessionContext);
      }
      change();
    });
    notebook.NotebookActions.executed.connect(() => state.look({ executed: true }));
  }

  return {
    id: 'liveinstall:plugin',
    description: 'Pending changes of the environment of the current notebook, in the status bar.',
    autoStart: true,
    requires: [notebook.INotebookTracker],
    optional: [statusbar ? statusbar.IStatusBar : null, apputils.ICommandPalette].filter(Boolean),
    activate(app, tracker, ...optional) {
      const [statusBar, palette] = statusbar ? optional : [null, ...optional];
      activate(app, tracker, statusBar, palette);
    }
  };
}
