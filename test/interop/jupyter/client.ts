// A program with @jupyterlab/services, unmodified, at Lockstep's address. Prints what it finds, a JSON object a line.
import { createInterface } from 'node:readline';
import {
  ContentsManager,
  KernelManager,
  KernelSpecManager,
  ServerConnection,
  SessionManager,
  TerminalManager,
  type KernelMessage,
} from '@jupyterlab/services';
import { WebSocket } from 'ws';

const token = process.env['TOKEN'] ?? '';

/** Node's WebSocket cannot send a header; this is how VS Code and others bring theirs. */
class TokenSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { headers: { authorization: `token ${token}` } });
  }
}

const serverSettings = ServerConnection.makeSettings({
  baseUrl: process.env['BASE_URL'] ?? '',
  token,
  appendToken: false,
  // The two have the same interface, told in types of Node and of browsers.
  WebSocket: TokenSocket as unknown as typeof globalThis.WebSocket,
});

const say = (name: string, value: unknown): void => {
  process.stdout.write(`${JSON.stringify({ name, value })}\n`);
};

const specs = new KernelSpecManager({ serverSettings });
await specs.ready;
say('kernelspec', specs.specs?.default);
// Its UserManager wants a browser's local storage.
const answer = await ServerConnection.makeRequest(`${serverSettings.baseUrl}api/me`, {}, serverSettings);
const { identity } = (await answer.json()) as { identity: { username: string; display_name: string } };
say('me', { username: identity.username, name: identity.display_name });

const contents = new ContentsManager({ serverSettings });
const saved = await contents.save('räume 1.ipynb', {
  type: 'notebook',
  format: 'json',
  content: { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 },
});
const checkpoint = await contents.createCheckpoint(saved.path);
await contents.restoreCheckpoint(saved.path, checkpoint.id);
await contents.deleteCheckpoint(saved.path, checkpoint.id);
const { content: listed } = (await contents.get('')) as { content: { path: string }[] };
say(
  'contents',
  listed.map(({ path }) => path),
);
await contents.delete(saved.path);

const kernelManager = new KernelManager({ serverSettings });
const sessions = new SessionManager({ serverSettings, kernelManager });
const session = await sessions.startNew({
  name: 'probe',
  path: 'probe.ipynb',
  type: 'notebook',
  kernel: { name: 'python3' },
});
const { kernel } = session;
if (kernel === null) throw new Error('the session has no kernel');
const run = async (code: string): Promise<string> => {
  const future = kernel.requestExecute({ code });
  let text = '';
  future.onIOPub = (message: KernelMessage.IIOPubMessage): void => {
    const { content } = message;
    if ('text' in content && typeof content.text === 'string') text += content.text;
  };
  await future.done;
  return text.trim();
};
say('kernel', kernel.id);
say('executed', await run('remembered = 6 * 7\nprint(remembered)'));
say('large', (await run('print("x" * 2_000_000)')).length);

const terminals = new TerminalManager({ serverSettings });
const terminal = await terminals.startNew();
const heard = Promise.withResolvers<void>();
let output = '';
terminal.messageReceived.connect((_, message) => {
  output += message.content?.join('') ?? '';
  if (output.includes('terminal-42')) heard.resolve();
});
terminal.send({ type: 'stdin', content: ['echo terminal-$((6*7))\r'] });
await heard.promise;
say('terminal', 'terminal-42');
await terminal.shutdown();

kernel.connectionStatusChanged.connect((_, status) => say('connection', status));
say('ready', null);
// Whatever the suite writes to us is run, and its output said.
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'exit') process.exit(0);
  say('executed', await run(line));
}
