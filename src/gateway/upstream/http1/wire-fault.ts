/** What came from the upstream is no HTTP/1.1, or more of it than is taken. */
export class WireFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WireFault';
  }
}
