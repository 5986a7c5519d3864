// What runs in a page of somebody's browser: nothing from outside a function is there.

/** Starts a kernel of the server at `base`, or takes that of `id`, and has it say a value (messaging protocol 5.3). */
export async function execute({
  base,
  id,
  code,
}: {
  base: string;
  id: string | null;
  code: string;
}): Promise<{ id: string; said: string }> {
  let kernel = id;
  if (kernel === null) {
    const started = await fetch(`${base}/api/kernels`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'python3' }),
    });
    if (started.status !== 201) return { id: '', said: `${started.status} ${await started.text()}` };
    kernel = ((await started.json()) as { id: string }).id;
  }
  const host = String(Reflect.get(Reflect.get(globalThis, 'location') as object, 'host'));
  const socket = new WebSocket(`wss://${host}${base}/api/kernels/${kernel}/channels`);
  const said = await new Promise<string>((resolve) => {
    setTimeout(() => resolve('no answer within 60 s'), 60_000);
    socket.addEventListener('close', ({ code: closed, reason }) => resolve(`closed ${closed} ${reason}`));
    socket.addEventListener('open', () => {
      const header = {
        msg_id: crypto.randomUUID(),
        msg_type: 'execute_request',
        session: crypto.randomUUID(),
        username: '',
        version: '5.3',
        date: new Date().toISOString(),
      };
      const content = { code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false };
      socket.send(
        JSON.stringify({ channel: 'shell', header, parent_header: {}, metadata: {}, content, buffers: [] }),
      );
    });
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as {
        msg_type?: string;
        content?: { data?: Record<string, string> };
      };
      if (message.msg_type === 'execute_result') resolve(message.content?.data?.['text/plain'] ?? 'nothing');
    });
  });
  socket.close();
  return { id: kernel, said };
}

/** Opens the channels of a kernel, sets `openedChannels`, and tells how they were closed. */
export async function closed({
  base,
  id,
}: {
  base: string;
  id: string;
}): Promise<{ code: number; reason: string }> {
  const host = String(Reflect.get(Reflect.get(globalThis, 'location') as object, 'host'));
  const socket = new WebSocket(`wss://${host}${base}/api/kernels/${id}/channels`);
  return new Promise((resolve) => {
    socket.addEventListener('open', () => Object.assign(globalThis, { openedChannels: true }));
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }));
  });
}
