/** Anything assigned by an id. */
export interface Assigned {
  readonly assignment: { readonly id: string };
}

/** Puts an item in its place in a list that is in order of id. */
export function insertAssigned<T extends Assigned>(list: T[], item: T): void {
  list.splice(placeOf(list, item.assignment.id), 0, item);
}

/** Takes the item with this id out of a list that is in order of id. */
export function takeAssigned<T extends Assigned>(list: T[], id: string): T | undefined {
  const at = placeOf(list, id);
  return list[at]?.assignment.id === id ? list.splice(at, 1)[0] : undefined;
}

/** The index of the first item whose id is not below `id`. */
function placeOf(list: readonly Assigned[], id: string): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.assignment.id ?? '') < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
