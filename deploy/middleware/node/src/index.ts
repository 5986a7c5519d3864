export { type Actor, type Identity } from './identity.ts';
export { lockstepIdentity, type LockstepRequest, type Middleware } from './middleware.ts';
export { received, receivedByFetch, type Received } from './received.ts';
export { createVerifier, Refused, type Verifier, type VerifierOptions } from './verifier.ts';
