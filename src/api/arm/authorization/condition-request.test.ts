import { describe, expect, it } from 'vitest';
import { attributeNames, attributesOfAzureAlone } from '../../../gateway/attribute-names.ts';
import { conditionOf } from './condition-request.ts';

const jobs = 'Microsoft.MachineLearningServices/workspaces/jobs';
const blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';

function refusalOf(condition: string): string {
  try {
    conditionOf(condition, '2.0');
    return 'accepted';
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_request' });
    return error instanceof Error && 'publicMessage' in error ? String(error.publicMessage) : '';
  }
}

describe('an attribute in a condition', () => {
  it.each([
    [
      `@Request[${jobs}:purpse]`,
      `Request attribute ${jobs}:purpse is not valid. Did you mean @Request[${jobs}:purpose]?`,
    ],
    [
      `@Resource[${blobs}:pth]`,
      `Resource attribute ${blobs}:pth is not valid. Did you mean @Resource[${blobs}:path]?`,
    ],
    [
      '@Resource[Microsoft.Storage/storageAcounts:name]',
      'Resource attribute Microsoft.Storage/storageAcounts:name is not valid. Did you mean @Resource[Microsoft.Storage/storageAccounts:name]?',
    ],
    ['@Environment[UtcNwo]', 'Environment attribute UtcNwo is not valid. Did you mean @Environment[UtcNow]?'],
    // What one source has, another has not.
    [
      `@Request[${blobs}:path]`,
      `Request attribute ${blobs}:path is not valid. Did you mean @Resource[${blobs}:path]?`,
    ],
  ])('%s, a slip, is refused with what was meant', (attribute, said) => {
    expect(refusalOf(`Exists ${attribute}`)).toBe(said);
    expect(refusalOf(`Exists @Resource[tags:a] AND NOT Exists ${attribute}`)).toBe(said);
  });

  it.each([
    ...Object.keys(attributeNames),
    ...attributesOfAzureAlone,
    ...Object.keys(attributeNames).map((name) => name.toUpperCase()),
    `@Resource[${blobs}/tags:Project<$key_case_sensitive$>]`,
    '@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/metadata:nam]',
    // Of a decision point's own, and of people.
    '@Request[Contoso.Compute/clusters/jobs:gpuCount]',
    '@Resource[Contoso.Things/things:purpose]',
    '@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Team_UtcNwo]',
  ])('%s passes', (attribute) => {
    expect(refusalOf(`Exists ${attribute}`)).toBe('accepted');
  });
});
