import { describe, expect, test } from 'vitest';
import { ResourceTags } from './resource-tags.ts';

describe('tags of resources', () => {
  const tags = new ResourceTags();
  tags.put('/a', { Project: 'far', only: 'far' });
  tags.put('/a/b', { Project: 'near', project: 'second' });

  test.each([
    ['/a/b', 'tags:project', 'near'],
    ['/a/b/c/d', 'n/t/tags:PROJECT', 'near'],
    ['/a/bc', 'tags:project', 'far'],
    ['/a', 'tags:only', 'far'],
    ['/a/b', 'tags:Project<$key_case_sensitive$>', 'near'],
    ['/a/b', 'tags:project<$key_case_sensitive$>', 'second'],
    ['/a/b', 'tags:PROJECT<$key_case_sensitive$>', undefined],
    // The nearest resource that has any tags is the one.
    ['/a/b', 'tags:only', undefined],
    ['/b', 'tags:project', undefined],
    ['/', 'tags:project', undefined],
    ['/a/b', 'project', undefined],
    ['/a/b', 'mytags:project', undefined],
    ['/a/b', 'n/tags:', undefined],
    ['/a/b', 'tags:project/x', undefined],
  ])('at %s %s is %s', (scope, name, value) => {
    expect(tags.find(scope, name)).toBe(value);
  });

  test('are forgotten when they are taken away or none are left', () => {
    const changing = new ResourceTags();
    expect(changing.empty).toBe(true);
    changing.put('/a', { x: '1' });
    changing.put('/a/b', { x: '2' });
    expect(changing.empty).toBe(false);
    changing.put('/a/b', {});
    expect(changing.find('/a/b', 'tags:x')).toBe('1');
    changing.delete('/a');
    expect(changing.find('/a/b', 'tags:x')).toBe(undefined);
    expect(changing.empty).toBe(true);
  });
});
