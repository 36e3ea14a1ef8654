/** The language somebody says they speak, so that their words are written down right; remembered for the next visits. */
import { signal } from '@preact/signals';
import { read, write } from '../net/tokens';

/** A tag of BCP 47; "und" to have it detected; "" for the deliberation's own. */
export const speaks = signal(read(localStorage, 'parley.speaks') ?? '');

export const DETECT = 'und';

/** Languages that the recogniser knows well enough to be offered; any other is found with "detect". */
export const SPOKEN = 'ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv ms nl no pl pt ro ru sk sl sr sv sw ta th tr uk ur vi zh'.split(' ');

export function setSpeaks(tag: string): void {
  speaks.value = tag;
  write(localStorage, 'parley.speaks', tag || null);
}
