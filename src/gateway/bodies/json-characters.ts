/** Codes of what gives a JSON text its structure: RFC 8259 §2. */
export const characters = {
  openBrace: 0x7b,
  closeBrace: 0x7d,
  openBracket: 0x5b,
  closeBracket: 0x5d,
  quote: 0x22,
  backslash: 0x5c,
  comma: 0x2c,
} as const;
