import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { applicationNamed, applicationSchema, collection, userNamed } from '../directory.ts';
import { invocation } from '../invocation.ts';
import { moment } from '../output/amounts.ts';
import { facts, table } from '../output/table.ts';

const repeated = (value: string, before: readonly string[] = []) => [...before, value];

const createSchema = z.object({
  sponsor: z.string().optional(),
  redirectUri: z.array(z.string()).optional(),
});
const secretSchema = z.object({
  keyId: z.string(),
  secretText: z.string(),
  endDateTime: z.string().nullable(),
});
const keySchema = z.object({ keyId: z.string(), customKeyIdentifier: z.string() });
const secretOptions = z.object({
  days: z.coerce.number('must be a number of days').positive().max(730).optional(),
});
const federatedSchema = z.object({ id: z.string(), name: z.string(), issuer: z.string() });
const federateOptions = z.object({
  name: z.string().optional(),
  issuer: z.string(),
  audience: z.string(),
  subject: z.string().optional(),
  matching: z.string().optional(),
  claim: z.array(z.string()).optional(),
  description: z.string().optional(),
});

export function addApp(program: Command, context: CliContext): void {
  const app = program.command('app').description('Applications: what acts without a person at the keyboard.');

  app
    .command('create')
    .description('Create an application. A person, by default you, answers for it.')
    .argument('<name>', 'Display name.')
    .option('--sponsor <user>', 'Who answers for it: sign-in name or object id. Default: you.')
    .option('--redirect-uri <uri>', 'Where sign-ins of people return to; may be repeated.', repeated)
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { sponsor, redirectUri } = call.options(createSchema);
      const client = await call.client();
      const sponsorId = sponsor === undefined ? null : (await userNamed(client, sponsor)).id;
      const created = await client.json('directory', 'POST', '/v1.0/applications', applicationSchema, {
        json: {
          displayName: name,
          ...(sponsorId === null ? {} : { lockstepSponsorId: sponsorId }),
          ...(redirectUri === undefined ? {} : { web: { redirectUris: redirectUri } }),
        },
      });
      call.result(
        created,
        facts(
          [
            ['created', created.displayName],
            ['application id', created.appId],
            ['object id', created.id],
            ['next', `lockstep app federate ${quoted(created.displayName)} --issuer … --claim …`],
          ],
          call.style,
        ),
      );
    });

  app
    .command('list')
    .description('List applications.')
    .action(async (_options: unknown, command: Command) => {
      const call = invocation(context, command);
      const found = await collection(await call.client(), '/v1.0/applications', applicationSchema);
      const shown = table(
        found,
        [
          { title: 'APPLICATION', value: (row) => row.displayName },
          { title: 'APPLICATION ID', value: (row) => row.appId },
          { title: 'OBJECT ID', value: (row) => row.id },
        ],
        call.style,
        call.width,
      );
      call.result(found, shown);
    });

  app
    .command('federate')
    .description(
      'Let tokens of another issuer, such as a CI system’s, stand for an application: no secret anywhere.',
    )
    .argument('<app>', 'Display name, application id or object id.')
    .requiredOption('--issuer <url>', 'Issuer of the tokens, exactly as in their `iss`.')
    .option('--audience <text>', 'What their `aud` must be.', 'api://AzureADTokenExchange')
    .option(
      '--claim <name=value>',
      'A claim that must have this value; may be repeated, all must hold.',
      repeated,
    )
    .option('--subject <text>', 'Instead of claims: the exact `sub`.')
    .option(
      '--matching <expression>',
      "Instead of claims: Entra’s flexible form, such as claims['sub'] matches 'repo:org/*'.",
    )
    .option('--name <text>', 'Name of the credential. Default: made from the issuer’s host.')
    .option('--description <text>', 'What it is for.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const options = call.options(federateOptions);
      const client = await call.client();
      const match = matchOf(options);
      const found = await applicationNamed(client, name);
      const path = `/v1.0/applications/${found.id}/federatedIdentityCredentials`;
      const created = await client.json('directory', 'POST', path, federatedSchema, {
        json: {
          name: options.name ?? hostName(options.issuer),
          issuer: options.issuer,
          audiences: [options.audience],
          ...(options.description === undefined ? {} : { description: options.description }),
          ...match,
        },
      });
      call.result(
        created,
        facts(
          [
            ['federated', found.displayName],
            ['issuer', created.issuer],
            ['credential', created.name],
            ['id', created.id],
          ],
          call.style,
        ),
      );
    });

  addCertificate(app, context);

  app
    .command('add-secret')
    .description(
      'Add a client secret and print it, once. Prefer `app federate`: what has no secret cannot leak it.',
    )
    .argument('<app>', 'Display name, application id or object id.')
    .option('--days <number>', 'How long it is valid.', '90')
    .action(async (name: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const { days = 90 } = call.options(secretOptions);
      const client = await call.client();
      const found = await applicationNamed(client, name);
      const endDateTime = new Date(Date.now() + days * 86_400_000).toISOString();
      const added = await client.json(
        'directory',
        'POST',
        `/v1.0/applications/${found.id}/addPassword`,
        secretSchema,
        {
          json: { passwordCredential: { displayName: 'lockstep app add-secret', endDateTime } },
        },
      );
      call.note('The secret is shown this once; keep it in a file that only its user can read.');
      call.result(
        added,
        facts(
          [
            ['secret', added.secretText],
            ['id', added.keyId],
            ['valid until', moment(added.endDateTime)],
          ],
          call.style,
        ),
      );
    });
}

function addCertificate(app: Command, context: CliContext): void {
  app
    .command('add-certificate')
    .description(
      'Let an application prove itself by the private key of a certificate, which stays where it is.',
    )
    .argument('<app>', 'Display name, application id or object id.')
    .argument('<file>', 'The certificate, PEM; its private key is not wanted.')
    .action(async (name: string, file: string, _options: unknown, command: Command) => {
      const call = invocation(context, command);
      const key = certificateOf(file);
      const client = await call.client();
      const found = await applicationNamed(client, name);
      const added = await client.json(
        'directory',
        'POST',
        `/v1.0/applications/${found.id}/addKey`,
        keySchema,
        {
          json: { keyCredential: { type: 'AsymmetricX509Cert', usage: 'Verify', key } },
        },
      );
      call.result(
        added,
        facts(
          [
            ['thumbprint', added.customKeyIdentifier],
            ['id', added.keyId],
          ],
          call.style,
        ),
      );
    });
}

/** The certificate of a PEM file as DER in base64. Throws for a file that holds none, or a private key beside it. */
function certificateOf(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('usage', `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    return new X509Certificate(text).raw.toString('base64');
  } catch (cause) {
    throw new CliError('usage', `${file} holds no certificate in PEM form.`, { cause });
  }
}

function matchOf({ claim, subject, matching }: z.infer<typeof federateOptions>): object {
  if ([claim, subject, matching].filter((way) => way !== undefined).length !== 1) {
    throw new CliError(
      'usage',
      'Say what tokens must match by one of --claim (repeated), --subject and --matching.',
    );
  }
  if (subject !== undefined) return { subject };
  if (matching !== undefined) return { claimsMatchingExpression: { value: matching, languageVersion: 1 } };
  const lockstepClaims: Record<string, string> = {};
  for (const text of claim ?? []) {
    const cut = text.indexOf('=');
    if (cut < 1) throw new CliError('usage', `--claim ${text}: write name=value.`);
    lockstepClaims[text.slice(0, cut)] = text.slice(cut + 1);
  }
  return { lockstepClaims };
}

function hostName(issuer: string): string {
  const host = URL.canParse(issuer) ? new URL(issuer).host : issuer;
  return host
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .slice(0, 120)
    .padEnd(3, '-');
}

function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name}'`;
}
