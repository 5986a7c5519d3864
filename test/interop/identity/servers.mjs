// @ts-nocheck: the frameworks are installed by the suite alone.
// One of Express, Fastify, Koa and Hono, each unmodified, that says who it was told is asking. Arguments: which, port.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [which, port] = process.argv.slice(2);
const { ISSUER, AUDIENCE, JWKS_URL, MODULES, MIDDLEWARE } = process.env;
const require = createRequire(join(MODULES, 'package.json'));
const { createVerifier, lockstepIdentity, receivedByFetch } = await import(MIDDLEWARE);
const options = { issuer: ISSUER, audience: AUDIENCE, jwksUrl: JWKS_URL };

function told(identity, headers, body) {
  const { name, subject, decision } = identity;
  return { name, subject, decision, statement: 'x-lockstep-assertion' in headers, body };
}

const servers = {
  express() {
    const express = require('express');
    const app = express();
    app.use(lockstepIdentity(options));
    const router = express.Router();
    // Beneath a router `url` is not what was received.
    router.use(express.text({ type: '*/*' }), (request, response) => {
      response.json(told(request.lockstep, request.headers, request.body ?? ''));
    });
    app.use('/app', router);
    app.listen(Number(port), '127.0.0.1');
  },
  async fastify() {
    const app = require('fastify')();
    const middleware = lockstepIdentity(options);
    app.addHook('onRequest', (request, reply, done) => middleware(request.raw, reply.raw, done));
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    app.all('/*', async ({ raw, body }) => told(raw.lockstep, raw.headers, body ?? ''));
    await app.listen({ port: Number(port), host: '127.0.0.1' });
  },
  koa() {
    const Koa = require('koa');
    const app = new Koa();
    const middleware = lockstepIdentity(options);
    app.use(async (context, next) => {
      await new Promise((resolve) => {
        context.res.once('close', resolve);
        middleware(context.req, context.res, resolve);
      });
      if (context.req.lockstep === undefined) context.respond = false;
      else await next();
    });
    app.use(async (context) => {
      let body = '';
      for await (const piece of context.req) body += String(piece);
      context.body = told(context.req.lockstep, context.req.headers, body);
    });
    app.listen(Number(port), '127.0.0.1');
  },
  hono() {
    const { Hono } = require('hono');
    const { serve } = require('@hono/node-server');
    const verify = createVerifier(options);
    const app = new Hono();
    app.all('*', async (context) => {
      try {
        const identity = await verify(receivedByFetch(context.req.raw));
        return context.json(told(identity, {}, await context.req.text()));
      } catch (refused) {
        return context.json({ error: { code: 'AuthenticationFailed' } }, refused.status ?? 503);
      }
    });
    serve({ fetch: app.fetch, port: Number(port), hostname: '127.0.0.1' });
  },
};
await servers[which]();
