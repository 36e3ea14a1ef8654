/** The participant's page: consent, lobby, waiting, room, closing, thanks. This module owns which of them is shown. */
import { useEffect, useState } from 'preact/hooks';
import { isLanguage, setLanguage, t } from '../i18n';
import { Devices } from '../media/devices';
import { Sound } from '../media/sound';
import { getJson } from '../net/api';
import { Refusal, sentence } from '../net/errors';
import { linkToken, read, seatToken } from '../net/tokens';
import type { JoinInfo, JoinResponse } from '../protocol/types';
import { Room } from '../room/room';
import { Session } from '../room/session';
import { Thanks } from '../room/thanks';
import { Mark } from '../ui/controls';
import { LanguagePicker } from '../ui/language';
import { Consent, type Consents } from './consent';
import { Entrance } from './entrance';
import { Interrupted, Waiting } from './waiting';
import './lobby.css';

const devices = new Devices();
const sound = new Sound(devices.chosen.output);

export default function JoinPage({ id }: { id: string }) {
  const [invitation] = useState(() => linkToken(`join.${id}`));
  const [info, setInfo] = useState<JoinInfo | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [consents, setConsents] = useState<Consents | null>(null);
  const [declined, setDeclined] = useState(false);
  const [session, setSession] = useState<Session | null>(null);

  const enter = (token: string) => {
    const next = new Session(id, token, devices, sound);
    setSession(next);
    next.start();
  };

  useEffect(() => {
    const seat = seatToken.get(id);
    if (seat) {
      void devices.start();
      enter(seat);
    }
    getJson<JoinInfo>(`/api/deliberations/${encodeURIComponent(id)}`, invitation ?? seat)
      .then(async (found) => {
        if (read(localStorage, 'parley.language') === null && isLanguage(found.language)) await setLanguage(found.language);
        setInfo(found);
      })
      .catch((error: unknown) => {
        if (!seat) setProblem(error instanceof Refusal && error.status === 401 ? t('join.badLink') : sentence(error));
      });
  }, []);

  const startAgain = () => {
    devices.stop();
    seatToken.clear(id);
    session?.socket.end();
    setSession(null);
    setConsents(null);
  };

  if (session) return <Visit session={session} info={info} onStartAgain={startAgain} />;
  return (
    <div class="page">
      <header class="topbar">
        <Mark />
        <LanguagePicker />
      </header>
      {problem ? (
        <main class="notice" data-testid="join-problem">
          <h1>{t('join.problem')}</h1>
          <p>{problem}</p>
        </main>
      ) : !info ? (
        <main class="notice" aria-busy="true">
          <p>{t('loading')}</p>
        </main>
      ) : declined ? (
        <main class="notice" data-testid="declined">
          <h1>{t('declined.title')}</h1>
          <p>{t('declined.text')}</p>
          <p>{t('declined.contact', { contact: info.consent.contact })}</p>
          <button type="button" class="button" onClick={() => setDeclined(false)}>
            {t('declined.back')}
          </button>
        </main>
      ) : !consents ? (
        <Consent info={info} onAgree={setConsents} onDecline={() => setDeclined(true)} />
      ) : (
        <Entrance
          info={info}
          consents={consents}
          invitation={invitation}
          devices={devices}
          sound={sound}
          onJoined={(joined: JoinResponse) => {
            seatToken.set(id, joined.token);
            enter(joined.token);
          }}
        />
      )}
    </div>
  );
}

/** After joining: waiting, room or thanks, whatever the session says. */
function Visit({ session, info, onStartAgain }: { session: Session; info: JoinInfo | null; onStartAgain: () => void }) {
  if (session.seatTaken.value || session.refused.value || (session.socket.bye.value && !session.over.value)) {
    return <Interrupted session={session} onStartAgain={onStartAgain} />;
  }
  if (session.over.value) return <Thanks session={session} info={info} />;
  if (session.inRoom.value) return <Room session={session} />;
  return <Waiting session={session} info={info} onStartAgain={onStartAgain} />;
}
