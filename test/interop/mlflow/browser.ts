import { randomUUID } from 'node:crypto';
import { roleIds } from '../../../src/policy/built-in-roles.ts';
import { newPassword, personBrowser } from '../person-browser.ts';
import type { MlflowScene, Said } from './scene.ts';

/** What MLflow's own page asks for and nobody may have here, or MLflow itself does not have without its own accounts. */
const known = [/\/users\/current$/, /\/assistant\//];

/** MLflow's page in a real browser: one sign-in, then the work of those whose work one may see. */
export async function inBrowser({ scene, scope }: MlflowScene): Promise<readonly Said[]> {
  const { house } = scene;
  const said: Said[] = [];
  const expectThat = (check: string, ok: boolean, shown: unknown): void => {
    said.push({ check, ok, ...(ok ? {} : { error: JSON.stringify(shown).slice(0, 600) }) });
  };
  const password = newPassword();
  const port = Number(new URL(house.url).port);
  const address = `https://mlflow.localhost:${port}/#/experiments`;
  const open = async (displayName: string) => {
    const userPrincipalName = `${displayName}@contoso.example`;
    const profile = { displayName, userPrincipalName, accountEnabled: true, passwordProfile: { password } };
    const { id } = await house.admin.change<{ id: string }>('POST', '/v1.0/users', profile, [201]);
    const listener = { port, ca: house.ca, host: 'mlflow.localhost' };
    return { id, ...(await personBrowser(listener, { name: userPrincipalName, password })) };
  };
  const [rosa, guest] = [await open('rosa'), await open('guest')];
  try {
    const properties = {
      roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${roleIds.machineLearningDataScientist}`,
      principalId: rosa.id,
      principalType: 'User',
    };
    const path = `${scope}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`;
    await house.admin.change('PUT', `${path}?api-version=2022-04-01`, { properties }, [201]);
    await rosa.open(address);
    const own = rosa.page.getByRole('link', { name: 'Default', exact: true });
    await own.first().waitFor({ timeout: 60_000 });
    expectThat('MLflow’s page opens in a browser after one sign-in and shows the experiments', true, null);
    const refused = rosa.troubles.filter((one) => !known.some((expected) => expected.test(one)));
    expectThat('nothing else that it asks for is refused', refused.length === 0, refused);
    const searched = guest.page.waitForResponse(/\/experiments\/search/, { timeout: 120_000 });
    await guest.open(address);
    await (await searched).finished();
    await guest.page.getByText('Experiments').first().waitFor({ timeout: 60_000 });
    // What was found would be shown by now.
    await guest.page.waitForTimeout(3000);
    const shown = await guest.page.locator('body').innerText();
    expectThat('somebody without a role sees the page and no experiment', !shown.includes('Default'), shown);
    await guest.page.goto(`https://mlflow.localhost:${port}/#/experiments/0/runs`);
    const reason = guest.page.getByText(/Experiment load error:.*no role assignment grants it/s).last();
    const isTold = await reason.waitFor({ timeout: 60_000 }).then(
      () => true,
      () => false,
    );
    const told = await guest.page.locator('body').innerText();
    expectThat('and is told by the page of an experiment why they may not see it', isTold, told);
  } finally {
    await rosa.close();
    await guest.close();
  }
  return said;
}
