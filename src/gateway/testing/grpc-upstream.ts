import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
} from '@grpc/grpc-js';

const asIs = (bytes: Buffer): Buffer => bytes;
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/contoso.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});

/** Every kind of call there is; messages are bytes. */
export const echoService = {
  Unary: method('Unary', false, false),
  Collect: method('Collect', true, false),
  Repeat: method('Repeat', false, true),
  Talk: method('Talk', true, true),
  Fail: method('Fail', false, false),
  Wait: method('Wait', false, false),
  Secret: method('Secret', false, false),
} satisfies ServiceDefinition;

/** An unmodified server of `@grpc/grpc-js` on loopback, in clear. */
export class GrpcUpstream {
  readonly #server: Server;
  #port = 0;
  /** The metadata of each call. */
  readonly seen: Metadata[] = [];
  /** What became of calls that were canceled. */
  canceled = 0;

  private constructor() {
    this.#server = new Server();
    const see = ({ metadata }: { readonly metadata: Metadata }): void => void this.seen.push(metadata);
    const cancels = (call: { on(event: 'cancelled', listener: () => void): unknown }): void => {
      call.on('cancelled', () => this.canceled++);
    };
    this.#server.addService(echoService, {
      Unary: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        see(call);
        const initial = new Metadata();
        initial.set('x-initial', 'yes');
        call.sendMetadata(initial);
        const trailers = new Metadata();
        trailers.set('x-trailing', 'yes');
        trailers.set('x-trailing-bin', Buffer.from([0, 255, 1]));
        answer(null, call.request, trailers);
      },
      Collect: (call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        see(call);
        const parts: Buffer[] = [];
        call
          .on('data', (part: Buffer) => parts.push(part))
          .on('end', () => answer(null, Buffer.concat(parts)));
      },
      Repeat: (call: ServerWritableStream<Buffer, Buffer>) => {
        see(call);
        for (let i = 0; i < 5; i++) call.write(Buffer.concat([call.request, Buffer.from(String(i))]));
        call.end();
      },
      Talk: (call: ServerDuplexStream<Buffer, Buffer>) => {
        see(call);
        cancels(call);
        call
          .on('data', (part: Buffer) => call.write(part))
          .on('end', () => call.end())
          .on('error', () => undefined);
      },
      Fail: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        see(call);
        answer({ code: status.FAILED_PRECONDITION, details: 'not ‘now’: 100%' });
      },
      Wait: (call: ServerUnaryCall<Buffer, Buffer>) => {
        see(call);
        cancels(call);
      },
      Secret: (_call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) =>
        answer(null, Buffer.from('told')),
    });
  }

  static async start(credentials = ServerCredentials.createInsecure()): Promise<GrpcUpstream> {
    const upstream = new GrpcUpstream();
    upstream.#port = await new Promise((resolve, reject) => {
      upstream.#server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    return upstream;
  }

  get port(): number {
    return this.#port;
  }

  close(): void {
    this.#server.forceShutdown();
  }
}
