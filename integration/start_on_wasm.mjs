// Starts a Python that is built for wasm over a staged environment: node start_on_wasm.mjs ENVIRONMENT.tar
import { readFileSync } from "fs";
import { loadPyodide } from "pyodide";

const python = await loadPyodide();
python.FS.writeFile("/environment.tar", readFileSync(process.argv[2]));
console.log(python.runPython(`
import json, os, site, sys, tarfile
tarfile.open("/environment.tar").extractall("/environment")
place = "/environment/lib/site-packages"
site.addsitedir(place)
import alpha, alpha.late
json.dumps([list(sys.version_info[:2]), alpha.VERSION, alpha.late.VERSION, sys.started, sorted(os.listdir(place))])
`));
