// The widget's `_esm`: small, for it is sent with every widget. It asks the kernel for the bundle, once per page.

const promises = (key) => {
  globalThis[key] ??= new Map();
  return globalThis[key];
};
const bytesByDigest = promises("__graphlens_assets__");
const modulesByDigest = promises("__graphlens_modules__");

function once(map, key, make) {
  if (!map.has(key)) {
    const promise = make();
    map.set(key, promise);
    promise.catch(() => map.delete(key));
  }
  return map.get(key);
}

function request(model, kind, name, patience = 60000) {
  const id = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  return new Promise((resolve, reject) => {
    const finish = (settle, value) => {
      clearTimeout(timer);
      model.off("msg:custom", onMessage);
      settle(value);
    };
    const onMessage = (message, buffers) => {
      if (message?.kind !== kind || message.id !== id) return;
      if (message.error) finish(reject, new Error(message.error));
      else finish(resolve, buffers?.[0]);
    };
    const late = () =>
      finish(reject, new Error("graphlens: the kernel does not answer. Run the cell again, or open the HTML report."));
    const timer = setTimeout(late, patience);
    model.on("msg:custom", onMessage);
    model.send({ kind, id, name });
  });
}

async function inflate(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function asset(model, name) {
  const digest = model.get("_assets")[name];
  if (!digest) return Promise.reject(new Error(`graphlens: ${name} is not built; run \`npm run build\` in js/`));
  return once(bytesByDigest, digest, async () => inflate(await request(model, "asset", name)));
}

function bundle(model) {
  return once(modulesByDigest, model.get("_assets")["graphlens.js"] ?? "", async () => {
    const code = await asset(model, "graphlens.js");
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    try {
      return await import(/* @vite-ignore */ url);
    } finally {
      URL.revokeObjectURL(url);
    }
  });
}

// A large drawing is made when it is first looked at: the answer says that the trait `payload` holds it now.
async function drawn(model, root) {
  if (model.get("payload")?.byteLength || !model.get("waits_for")) return;
  root.textContent = `Drawing ${model.get("waits_for")}…`;
  await request(model, "payload", "", 600000);
  root.textContent = "";
}

async function render({ model, el, signal }) {
  const end = new AbortController();
  signal?.addEventListener("abort", () => end.abort());
  const root = document.createElement("div");
  root.className = "graphlens";
  root.dataset.testid = "graphlens";
  root.dataset.state = "loading";
  el.append(root);
  try {
    const [module, sheet] = await Promise.all([bundle(model), asset(model, "graphlens.css")]);
    const style = document.createElement("style");
    style.textContent = new TextDecoder().decode(sheet);
    el.prepend(style);
    await drawn(model, root);
    const give = (name) => asset(model, name);
    if (!end.signal.aborted) await module.default.render({ model, el: root, signal: end.signal, asset: give });
  } catch (error) {
    root.dataset.state = "error";
    root.textContent = error instanceof Error ? error.message : String(error);
  }
  return () => end.abort();
}

export default { render };
