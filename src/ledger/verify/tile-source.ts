/** Where a log is read from: its directory, its address, or memory. Nothing read from it is trusted. */
export interface TileSource {
  /** The resource at `path` (`checkpoint`, `tile/…`), or null where there is none. */
  read(path: string): Promise<Uint8Array | null>;
}
