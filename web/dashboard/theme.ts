// Dark, light, or as the reader's system has it: chosen once, kept in this browser.

export type Theme = 'auto' | 'dark' | 'light';

const NAME = 'tideway-theme';
const ORDER: readonly Theme[] = ['auto', 'dark', 'light'];

export function themeIn(shelf: Pick<Storage, 'getItem'>): Theme {
  const kept = shelf.getItem(NAME);
  return ORDER.find((theme) => theme === kept) ?? 'auto';
}

/** The one that comes after it on the switch. */
export function nextTheme(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? 'auto';
}

export function keepTheme(shelf: Pick<Storage, 'setItem'>, theme: Theme): void {
  shelf.setItem(NAME, theme);
}

/** Colours the page; what is drawn on a canvas is told. */
export function applyTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event('tideway-theme'));
}
