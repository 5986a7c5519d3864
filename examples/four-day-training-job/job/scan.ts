// A job that streams a large blob slowly, as a real scan does. When its identity ends, the stream is cut under it.
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DefaultAzureCredential } from '@azure/identity';
import { BlobClient } from '@azure/storage-blob';

const { values: options } = parseArgs({ options: { data: { type: 'string', default: '' } } });
const bytesPerSecond = 16 * 1024 * 1024;

const credential = new DefaultAzureCredential();
// No retry: a stream that was cut is to be seen as cut.
const blob = new BlobClient(options.data, credential, { retryOptions: { maxTries: 1 } });
const { readableStreamBody, contentLength } = await blob.download(0, undefined, { maxRetryRequests: 0 });
let bytes = 0;
try {
  for await (const chunk of readableStreamBody ?? []) {
    bytes += chunk.length;
    await pause((chunk.length / bytesPerSecond) * 1000);
  }
  log('scanned', { bytes });
} catch (error) {
  log('cut', { bytes, of: contentLength, error: (error as Error).message });
  try {
    const { expiresOnTimestamp } = await new DefaultAzureCredential().getToken(
      'https://ml.azure.com/.default',
    );
    log('renewed', { expiresOn: expiresOnTimestamp });
  } catch (refused) {
    log('renewal-refused', { error: (refused as Error).message.split('\n')[0] });
  }
  process.exitCode = 3;
}

function log(event: string, facts: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ event, at: Date.now(), ...facts }));
}
