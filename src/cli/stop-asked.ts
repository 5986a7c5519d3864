/** Resolves on Ctrl-C, on SIGTERM, or when the terminal is closed. */
export function stopAsked(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    for (const asked of ['SIGTERM', 'SIGHUP']) process.once(asked, () => resolve());
  });
}
