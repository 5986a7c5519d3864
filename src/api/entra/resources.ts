/** A resource that tokens are issued for; a token's `aud` is what was asked for, audience or alias, to the letter. */
export interface Resource {
  readonly audience: string;
  readonly aliases: readonly string[];
}

/**
 * The resources of an installation, under Azure's names and its own.
 * `storageOrigins`: the origins under which its storage accounts are reached, such as `https://labstore.blob.localhost:8443`.
 */
export function standardResources(options: {
  readonly publicUrl: string;
  readonly storageOrigins: readonly string[];
}): Resource[] {
  return [
    {
      audience: 'https://management.azure.com',
      aliases: [
        ...withSlash(options.publicUrl),
        'https://management.azure.com/',
        ...withSlash('https://management.core.windows.net'),
        '797f4846-ba00-4fd7-ba43-dac1f8f63013',
      ],
    },
    {
      audience: 'https://storage.azure.com',
      aliases: [
        'https://storage.azure.com/',
        ...options.storageOrigins.flatMap(withSlash),
        'e406a681-f3d4-42a8-90b6-c2b029497af1',
      ],
    },
    {
      audience: 'https://ml.azure.com',
      aliases: ['https://ml.azure.com/', '18a66f5f-dbdf-4c17-9dd7-1634712a9cbe'],
    },
    {
      audience: 'https://graph.microsoft.com',
      aliases: ['https://graph.microsoft.com/', '00000003-0000-0000-c000-000000000000'],
    },
    { audience: 'https://authorization.azure.net', aliases: ['https://authorization.azure.net/'] },
    { audience: 'api://lockstep', aliases: ['api://lockstep/'] },
  ];
}

/** Every spelling under which a resource's tokens are accepted: what its surface lists as audiences. */
export function audiencesOf(resource: Resource): string[] {
  return [resource.audience, ...resource.aliases];
}

/** Whether tokens are issued for exactly this spelling. */
export function knowsResource(resources: readonly Resource[], requested: string): boolean {
  return resources.some(({ audience, aliases }) => audience === requested || aliases.includes(requested));
}

function withSlash(origin: string): string[] {
  const bare = origin.endsWith('/') ? origin.slice(0, -1) : origin;
  return [bare, `${bare}/`];
}
