import { withheld } from '../../store/recorded-change.ts';

/** Members that no event has a use for. */
const secretNames = new Set([
  'password',
  'secret',
  'client_secret',
  'clientsecret',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'assertion',
  'client_assertion',
  'subject_token',
  'authorization',
  'cookie',
  'set-cookie',
  'private_key',
  'privatekey',
]);

/** A member of this name holds a credential, whatever stands in it. In upper or lower case. */
export function isSecretName(name: string): boolean {
  return mayBeSecret[fingerprint(name)] === 1 && secretNames.has(name.toLowerCase());
}

/** Length and last letter, which tell nearly every other name from these without a copy of it in lower case. */
function fingerprint(name: string): number {
  return (name.length << 5) | (name.charCodeAt(name.length - 1) & 31);
}

const mayBeSecret = new Uint8Array(32 << 5);
for (const name of secretNames) mayBeSecret[fingerprint(name)] = 1;

/** The text without anything that looks like a credential. */
export function withoutCredentials(text: string): string {
  if (!mayHoldCredential(text)) return text;
  if (wholeIsCredential.test(text)) return withheld;
  return text.replaceAll(tokenRun, (run) => (isCredential(run) ? withheld : run));
}

/**
 * Whether there may be a credential in a text, or in any text of a printed JSON value: nothing that is looked for here is
 * printed otherwise. /eyJ|PRIVATE|sig=/ with `sig` in any case, by what the engine finds fastest.
 */
export function mayHoldCredential(text: string): boolean {
  return (
    // Of the three letters the first stands in every other word.
    (text.includes('yJ') && text.includes('eyJ')) ||
    text.includes('PRIVATE') ||
    (text.includes('=') && signature.test(text))
  );
}

const signature = /[sS][iI][gG]=/;
const wholeIsCredential = /PRIVATE\+KEY\+|-----BEGIN [A-Z ]{0,32}PRIVATE KEY/;
/** Runs of the characters that tokens and query members are made of; every character is read once. */
const tokenRun = /[\w.=%+~-]+/g;

/** A signature of a signed URL, or a JSON Web Token. */
function isCredential(run: string): boolean {
  if (run.toLowerCase().startsWith('sig=')) return true;
  const jwtAt = run.indexOf('eyJ');
  return jwtAt >= 0 && run.slice(jwtAt).split('.').length >= 3;
}
