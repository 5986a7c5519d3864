import { z } from 'zod';

/** A job, as far as commands show it. */
export const jobSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  properties: z.looseObject({
    status: z.string(),
    displayName: z.string().nullish(),
    experimentName: z.string().nullish(),
    computeId: z.string().nullish(),
    command: z.string().nullish(),
    environmentId: z.string().nullish(),
    codeId: z.string().nullish(),
    description: z.string().nullish(),
    inputs: z
      .record(
        z.string(),
        z.looseObject({ uri: z.string().nullish(), value: z.string().nullish() }).nullable(),
      )
      .nullish(),
    outputs: z.record(z.string(), z.looseObject({ uri: z.string().nullish() }).nullable()).nullish(),
    properties: z.record(z.string(), z.string().nullable()).nullish(),
    tags: z.record(z.string(), z.string().nullable()).nullish(),
    error: z.looseObject({ message: z.string().nullish() }).nullish(),
  }),
  systemData: z
    .looseObject({
      createdAt: z.string().nullish(),
      createdBy: z.string().nullish(),
      lastModifiedAt: z.string().nullish(),
    })
    .nullish(),
});

export type Job = z.infer<typeof jobSchema>;

const ended = new Set(['Completed', 'Failed', 'Canceled', 'NotResponding', 'Lost']);

/** Whether a job in this status will not change any more. */
export function hasEnded(status: string): boolean {
  return ended.has(status);
}
