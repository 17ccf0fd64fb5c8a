/* The container that JupyterLab and Notebook 7 load, written by hand: no bundler and no build are needed.
 *
 * It takes JupyterLab's own modules from the shared scope, because a token such as IStatusBar must be the same object.
 * A module that this front end does not have is null; the extension works with what there is. */

(() => {
  const here = new URL(document.currentScript.src);
  let scope = {};

  function ours(name) {
    const url = new URL(name, here);
    url.search = here.search; // the version: browsers keep files of an older one
    return url.href;
  }

  /* The provided version that JupyterLab itself uses: the loaded one, otherwise the newest. */
  function choose(versions) {
    const loaded = Object.keys(versions).filter(version => versions[version].loaded);
    const names = loaded.length ? loaded : Object.keys(versions);
    names.sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
    return versions[names[names.length - 1]];
  }

  async function shared(name) {
    if (!scope[name]) {
      return null;
    }
    const factory = await choose(scope[name]).get();
    return factory();
  }

  function addStyle() {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = ours('style.css');
    document.head.append(link);
  }

  async function extension() {
    const names = ['apputils', 'coreutils', 'notebook', 'services', 'statusbar'];
    const found = await Promise.all([
      ...names.map(name => shared(`@jupyterlab/${name}`)),
      shared('@lumino/widgets'),
      shared('@lumino/signaling'),
      import(ours('extension.js')),
      import(ours('panel.js')),
      import(ours('state.js'))
    ]);
    const [apputils, coreutils, notebook, services, statusbar, widgets, signaling, own, panel, state] = found;
    addStyle();
    const lab = { apputils, coreutils, notebook, services, statusbar, widgets, signaling };
    return { __esModule: true, default: own.plugin(lab, panel, state) };
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.liveinstall = {
    init(given) {
      scope = given;
    },
    async get(module) {
      if (module !== './extension') {
        throw new Error(`liveinstall has no module ${module}`);
      }
      const made = await extension();
      return () => made;
    }
  };
})();
