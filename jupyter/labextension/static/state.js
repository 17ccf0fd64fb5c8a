/* The server's answers about a kernel's environment: few requests, one at a time, none while hidden. */

const INTERVAL = 30000; // milliseconds between two requests while a notebook is visible
const PAUSE = 400; // milliseconds in which several executed cells cause only one request

/* The environment of this kernel has no liveinstall: the next request follows an executed cell. */
class Absent extends Error {}

/* The server has no answer, for example because its extension is disabled: no more requests for this kernel. */
class Refused extends Error {}

export class State {
  /* `lab` are JupyterLab's modules; `kernel` returns the id of the current kernel, or null. */
  constructor(lab, kernel) {
    this._lab = lab;
    this._settings = lab.services.ServerConnection.makeSettings();
    this._kernel = kernel;
    this._busy = false;
    this._again = null; // the options of the next request
    this._timer = 0;
    this._off = null; // the kernel without further requests
    this.status = null; // the result of `status --json`, or null
    this.error = null; // the reason if there is none
    this.onChange = () => undefined;
    setInterval(() => this.look(), INTERVAL);
    document.addEventListener('visibilitychange', () => this.look());
  }

  /* Send a request soon. `executed`: packages may have been installed. `fresh`: even if nothing has changed on disk. */
  look({ executed = false, fresh = false } = {}) {
    const before = this._again || {};
    this._again = { executed: executed || before.executed, fresh: fresh || before.fresh };
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._ask(), PAUSE);
  }

  async _ask() {
    const kernel = this._kernel();
    if (this._busy || document.hidden || this._again === null) {
      return; // the running request checks again at its end, as does becoming visible
    }
    const { executed, fresh } = this._again;
    this._again = null;
    const isOff = kernel === this._off && !(executed && this.error instanceof Absent);
    if (kernel === null || (isOff && !fresh)) {
      this._set(null, kernel === null ? null : this.error);
      return;
    }
    this._busy = true;
    try {
      const status = await this.get(fresh ? 'status?fresh=1' : 'status', kernel);
      this._off = null;
      this._set(kernel === this._kernel() ? status : null);
    } catch (error) {
      this._off = error instanceof Refused || error instanceof Absent ? kernel : null;
      this._set(null, error);
    } finally {
      this._busy = false;
      if (this._again !== null || kernel !== this._kernel()) {
        this.look();
      }
    }
  }

  _set(status, error = null) {
    this.status = status;
    this.error = error;
    this.onChange();
  }

  get(what, kernel = this._kernel()) {
    return this._request(kernel, what, { method: 'GET' });
  }

  post(verb, body, kernel = this._kernel()) {
    return this._request(kernel, verb, { method: 'POST', body: JSON.stringify(body) });
  }

  /* The result of a request. */
  async _request(kernel, what, init) {
    const { ServerConnection } = this._lab.services;
    const { URLExt } = this._lab.coreutils;
    const url = URLExt.join(this._settings.baseUrl, 'liveinstall/api/kernels', String(kernel), what);
    const response = await ServerConnection.makeRequest(url, init, this._settings);
    if (!response.ok) {
      throw new Refused(`The Jupyter server answered ${response.status} ${response.statusText}.`);
    }
    const answer = await response.json();
    if (!answer.ok) {
      const { message, unchanged, todo, type } = answer.error;
      const text = [message, unchanged, todo].filter(Boolean).join(' ');
      throw type === 'TargetError' ? new Absent(text) : new Error(text);
    }
    return answer.result;
  }
}
