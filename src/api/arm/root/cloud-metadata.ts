export interface CloudParts {
  /** `https://host:port`, without a slash at the end. */
  readonly publicUrl: string;
  readonly baseDomain: string;
}

/** From this version on Azure answers the cloud that was asked; before it, the list of all clouds. */
const firstOfOneCloud = '2022-09-01';

/**
 * What a client asks to learn the addresses of a cloud of its own: azure-cli and Terraform's provider want one cloud,
 * older clients and azure-ai-ml a list. Every address is ours.
 */
export function cloudMetadata(parts: CloudParts, apiVersion: string): object {
  const cloud = cloudOf(parts);
  return apiVersion < firstOfOneCloud ? [cloud] : cloud;
}

function cloudOf({ publicUrl, baseDomain }: CloudParts): object {
  return {
    name: 'Lockstep',
    portal: 'https://portal.azure.com',
    resourceManager: publicUrl,
    microsoftGraphResourceId: publicUrl,
    authentication: {
      loginEndpoint: publicUrl,
      audiences: [publicUrl, 'https://management.azure.com/', 'https://management.core.windows.net/'],
      // As Azure's own clouds say: by any other word Terraform's provider takes it for an Azure Stack, and refuses.
      tenant: 'common',
      identityProvider: 'AAD',
    },
    graphAudience: publicUrl,
    graph: publicUrl,
    batch: publicUrl,
    gallery: publicUrl,
    media: publicUrl,
    sqlManagement: publicUrl,
    vmImageAliasDoc: publicUrl,
    activeDirectoryDataLake: publicUrl,
    suffixes: {
      storage: baseDomain,
      keyVaultDns: `vault.${baseDomain}`,
      sqlServerHostname: `database.${baseDomain}`,
      acrLoginServer: `azurecr.${baseDomain}`,
    },
  };
}
