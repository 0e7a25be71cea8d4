// In small windows the sides of the page are drawers: one of them is open, or none.
import { byId } from './dom.js';

const Names = ['sidebar', 'panel'];

/** Opens a drawer, or closes the one that is open; false when nothing was. */
export function drawer(name) {
  const before = document.body.dataset.drawer;
  document.body.dataset.drawer = name ?? '';
  for (const which of Names) byId(`show-${which}`).ariaExpanded = String(which === name);
  return Boolean(before);
}

for (const name of Names) byId(`show-${name}`).addEventListener('click', () => drawer(document.body.dataset.drawer === name ? null : name));
byId('shade').addEventListener('click', () => drawer(null));
