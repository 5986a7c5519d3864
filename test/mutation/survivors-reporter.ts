import { relative } from 'node:path';
import type { MutantResult } from '@stryker-mutator/api/core';
import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';
import type { Reporter } from '@stryker-mutator/api/report';

/** A line for each mutant that is not killed, at once: nobody waits for the end of the run to begin with the first. */
const reporter: Reporter = {
  onMutantTested({ fileName, location, mutatorName, replacement, status }: Readonly<MutantResult>): void {
    if (status !== 'Survived' && status !== 'NoCoverage') return;
    const { line, column } = location.start;
    const shown = replacement.replaceAll(/\s+/g, ' ').slice(0, 100);
    console.log(
      `${status}: ${relative(process.cwd(), fileName)}:${line}:${column} ${mutatorName} → ${shown}`,
    );
  },
};

export const strykerPlugins = [declareValuePlugin(PluginKind.Reporter, 'survivors', reporter)];
