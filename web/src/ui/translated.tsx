/** A text as its reader gets it: translated where there is a translation, marked as such, with the original at hand. */
import type { ComponentChildren } from 'preact';
import { t } from '../i18n';
import type { RoomView } from '../protocol/types';
import { Icon } from './icons';

interface Props {
  view: RoomView;
  /** What the text belongs to: an utterance, a message, a statement, a card, … */
  id: string;
  text: string;
  /** The original's language, where it is known. */
  lang?: string;
  class?: string;
}

export function Translated({ view, id, text, lang, class: name }: Props) {
  const translation = view.translations[id];
  if (translation === undefined || text === '') {
    return (
      <p class={name} dir="auto" lang={lang}>
        {text}
      </p>
    );
  }
  return (
    <>
      <p class={name} dir="auto" lang={view.members[view.me.participant_id ?? '']?.language} data-testid="translated">
        {translation}
      </p>
      <Original>
        <p dir="auto" lang={lang}>
          {text}
        </p>
      </Original>
    </>
  );
}

/** The mark of a translation; opens the original. */
export function Original({ children }: { children: ComponentChildren }) {
  return (
    <details class="original">
      <summary>
        <Icon name="spark" />
        {t('translated')}
      </summary>
      {children}
    </details>
  );
}
