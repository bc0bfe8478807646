// Long work in short stretches, so that the page can draw and answer in between.

const STRETCH = 16;

/** Make a function to await between steps: it lets the page in once a stretch has been long enough. */
export function breather(): () => Promise<void> | undefined {
  let start = performance.now();
  return () => {
    if (performance.now() - start < STRETCH) return undefined;
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        start = performance.now();
        resolve();
      };
      port2.postMessage(null);
    });
  };
}
