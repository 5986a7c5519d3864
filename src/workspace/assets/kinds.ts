import { z } from 'zod';
import type { Json } from '../../lib/canonical-json.ts';

const text = z.string().max(8192);
const optionalText = text.nullish();
const dictionary = z.record(z.string(), text.nullable()).nullish();

const shared = {
  description: optionalText,
  properties: dictionary,
  tags: dictionary,
  isAnonymous: z.boolean().nullish(),
  isArchived: z.boolean().nullish(),
};

const json = z.custom<Json>();
const dataType = z.enum(['uri_file', 'uri_folder', 'mltable']);

/** One kind of versioned asset: the id segment, what its versions must say, and what of it never changes. */
export interface AssetKind {
  /** Segment of the ARM id, and of the operation names. */
  readonly collection: string;
  /** What a person calls it. */
  readonly noun: string;
  readonly containerProperties: z.ZodType<Readonly<Record<string, Json | undefined>>>;
  readonly versionProperties: z.ZodType<Readonly<Record<string, Json | undefined>>>;
  /** Members of a version that cannot be changed once written. */
  readonly immutable: readonly string[];
  /** The member that says where the bytes are. */
  readonly uriMember: string | null;
  /** Members of the first version that its container takes over. */
  readonly inherited: readonly string[];
}

const container = z.looseObject(shared).catchall(json);

export const assetKinds = {
  codes: {
    collection: 'codes',
    noun: 'code',
    containerProperties: container,
    versionProperties: z.looseObject({ ...shared, codeUri: text.min(1) }).catchall(json),
    immutable: ['codeUri'],
    uriMember: 'codeUri',
    inherited: [],
  },
  data: {
    collection: 'data',
    noun: 'data',
    containerProperties: z.looseObject({ ...shared, dataType }).catchall(json),
    versionProperties: z.looseObject({ ...shared, dataType, dataUri: text.min(1) }).catchall(json),
    immutable: ['dataType', 'dataUri'],
    uriMember: 'dataUri',
    inherited: ['dataType'],
  },
  environments: {
    collection: 'environments',
    noun: 'environment',
    containerProperties: container,
    versionProperties: z
      .looseObject({
        ...shared,
        image: optionalText,
        condaFile: optionalText,
        osType: z.enum(['Linux', 'Windows']).nullish(),
      })
      .catchall(json),
    immutable: ['image', 'condaFile', 'build', 'osType'],
    uriMember: null,
    inherited: [],
  },
  models: {
    collection: 'models',
    noun: 'model',
    containerProperties: container,
    versionProperties: z
      .looseObject({ ...shared, modelUri: text.min(1), modelType: optionalText, jobName: optionalText })
      .catchall(json),
    immutable: ['modelUri', 'modelType', 'jobName'],
    uriMember: 'modelUri',
    inherited: [],
  },
} as const satisfies Readonly<Record<string, AssetKind>>;

export type AssetCollection = keyof typeof assetKinds;
