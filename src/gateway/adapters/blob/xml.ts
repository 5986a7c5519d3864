/** An element with text, or with elements. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly content: string | readonly Element[];
}

export function element(
  name: string,
  content: string | number | readonly Element[] = '',
  attributes: Readonly<Record<string, string>> = {},
): Element {
  return { name, attributes, content: typeof content === 'number' ? String(content) : content };
}

/** The document as text. Throws for an element name that XML does not allow. XML 1.0 §2. */
export function xmlDocument(root: Element): string {
  return `<?xml version="1.0" encoding="utf-8"?>${print(root)}`;
}

function print({ name, attributes, content }: Element): string {
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) throw new TypeError('not the name of an XML element');
  let head = name;
  for (const [key, value] of Object.entries(attributes)) head += ` ${key}="${escapeXml(value)}"`;
  const inner = typeof content === 'string' ? escapeXml(content) : content.map(print).join('');
  return inner === '' ? `<${head} />` : `<${head}>${inner}</${name}>`;
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Text that stands for itself in content and attributes; what XML 1.0 cannot carry becomes U+FFFD. */
export function escapeXml(text: string): string {
  return (
    text
      .toWellFormed()
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replace(/[&<>"']/g, (char) => escapes[char] ?? char)
      .replaceAll('\r', '&#13;')
  );
}
