/** The place of somebody who takes part in writing: what they send here stands among what the others say, and is read out to them. */
import { useEffect } from 'preact/hooks';
import { t } from '../i18n';
import type { RoomView } from '../protocol/types';
import { Composer, WRITE_ID } from './composer';
import type { Session } from './session';

export function Writing({ session, view }: { session: Session; view: RoomView }) {
  const mine = view.turn?.participant_id === session.me.value;
  useEffect(() => {
    if (mine) document.getElementById(WRITE_ID)?.focus();
  }, [mine]);
  return (
    <section class={mine ? 'writing turn' : 'writing'} aria-label={t('write.title')}>
      <p class="hint">{t(mine ? 'write.turn' : 'write.hint')}</p>
      <Composer session={session} room={view.room_id} label={'write.label'} id={WRITE_ID} testid="write" />
    </section>
  );
}
