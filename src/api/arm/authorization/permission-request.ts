import { z } from 'zod';
import type { Permission } from '../../../store/changes.ts';
import { conditionOf } from './condition-request.ts';

const pattern = z
  .string()
  .max(512)
  .regex(/^[A-Za-z0-9*][A-Za-z0-9.*/_-]*$/, 'is not an action: letters, digits, . / * _ and - only');
const patterns = z.array(pattern).max(1_024).nullish();

export const permissionSchema = z.object({
  actions: patterns,
  notActions: patterns,
  dataActions: patterns,
  notDataActions: patterns,
  condition: z.string().nullish(),
  conditionVersion: z.string().nullish(),
});

/** Permissions as a client sends them, lists that are left out being empty. Throws for a text that is no condition. */
export function permissionsOf(given: readonly z.infer<typeof permissionSchema>[]): Permission[] {
  return given.map(({ actions, notActions, dataActions, notDataActions, condition, conditionVersion }) => {
    const gate = conditionOf(condition, conditionVersion);
    return {
      actions: actions ?? [],
      notActions: notActions ?? [],
      dataActions: dataActions ?? [],
      notDataActions: notDataActions ?? [],
      ...(gate === null ? {} : { condition: gate }),
    };
  });
}
