/**
 * A segment is this many consecutive sequence numbers. Whether its events have a word is a set of places within it:
 * one bit each, so that sets are cut with one another a word at a time.
 */
export const segmentWidth = 16_384;

/** A set of places within a segment. */
export type Places = Uint32Array;

const words = segmentWidth / 32;
const bytesOfBits = segmentWidth / 8;

export function noPlaces(): Places {
  return new Uint32Array(words);
}

export function allPlaces(): Places {
  return new Uint32Array(words).fill(0xffff_ffff);
}

export function addPlace(places: Places, place: number): void {
  const word = place >> 5;
  places[word] = (places[word] ?? 0) | (1 << (place & 31));
}

/** Leaves in `places` what is in `others` too; false when nothing is left. */
export function keepCommon(places: Places, others: Places): boolean {
  let left = 0;
  for (let i = 0; i < words; i++) {
    const word = (places[i] ?? 0) & (others[i] ?? 0);
    places[i] = word;
    left |= word;
  }
  return left !== 0;
}

/** Takes out everything from `end` on. */
export function keepBelow(places: Places, end: number): void {
  const word = end >> 5;
  if (word < words) places[word] = (places[word] ?? 0) & ((1 << (end & 31)) - 1);
  places.fill(0, word + 1);
}

/** From the last to the first. */
export function* downwards(places: Places): Generator<number> {
  for (let i = words - 1; i >= 0; i--) {
    let word = places[i] ?? 0;
    while (word !== 0) {
      const bit = 31 - Math.clz32(word);
      yield i * 32 + bit;
      word &= ~(1 << bit);
    }
  }
}

/** As it is stored: two bytes a place while that is shorter than a bit for each. `ascending` is in order. */
export function encodePlaces(ascending: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(Math.min(ascending.length * 2, bytesOfBits));
  if (ascending.length * 2 < bytesOfBits) {
    ascending.forEach((place, i) => bytes.writeUInt16LE(place, i * 2));
  } else {
    for (const place of ascending) {
      const at = place >> 3;
      bytes[at] = (bytes[at] ?? 0) | (1 << (place & 7));
    }
  }
  return bytes;
}

/** Adds what is stored to `places`. Throws for bytes that encodePlaces does not produce. */
export function decodePlaces(bytes: Uint8Array, places: Places): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length > bytesOfBits || bytes.length % 2 !== 0) throw new Error('the search index is damaged');
  if (bytes.length < bytesOfBits) {
    for (let at = 0; at < bytes.length; at += 2) addPlace(places, view.getUint16(at, true) % segmentWidth);
  } else {
    for (let i = 0; i < words; i++) places[i] = (places[i] ?? 0) | view.getUint32(i * 4, true);
  }
}

/**
 * Many rare words together: their keys in order, four bytes each, then the places, two bytes each. `sorted` holds
 * key × width of a segment + place.
 */
export function encodeRare(sorted: Float64Array): Uint8Array {
  const bytes = new Uint8Array(sorted.length * 6);
  const view = new DataView(bytes.buffer);
  sorted.forEach((value, i) => {
    view.setUint32(i * 4, Math.floor(value / segmentWidth), true);
    view.setUint16(sorted.length * 4 + i * 2, value % segmentWidth, true);
  });
  return bytes;
}

/** Adds the places of one rare word to `places`. */
export function decodeRare(bytes: Uint8Array, key: number, places: Places): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.length / 6);
  let low = 0;
  for (let high = count; low < high;) {
    const middle = (low + high) >>> 1;
    if (view.getUint32(middle * 4, true) < key) low = middle + 1;
    else high = middle;
  }
  for (let i = low; i < count && view.getUint32(i * 4, true) === key; i++) {
    addPlace(places, view.getUint16(count * 4 + i * 2, true) % segmentWidth);
  }
}
