/** The participant's page: consent, lobby, waiting, room, closing, thanks. This module owns which of them is shown. */
import { useEffect, useState } from 'preact/hooks';
import { dateTime, isLanguage, setLanguage, t } from '../i18n';
import { Devices } from '../media/devices';
import { Sound } from '../media/sound';
import { download, getJson } from '../net/api';
import { Refusal, sentence } from '../net/errors';
import { linkToken, read, seatToken, write } from '../net/tokens';
import type { JoinInfo, JoinResponse } from '../protocol/types';
import { Room } from '../room/room';
import { Session } from '../room/session';
import { Thanks } from '../room/thanks';
import { now } from '../ui/controls';
import { toast } from '../ui/toast';
import { TopBar } from '../ui/topbar';
import { Consent, type Consents } from './consent';
import { Entrance } from './entrance';
import { Interrupted, Waiting } from './waiting';
import './lobby.css';

const devices = new Devices();
const sound = new Sound(devices.chosen.output);
const PREVIEW = new URLSearchParams(location.search).has('preview');

export default function JoinPage({ id }: { id: string }) {
  const seatKey = PREVIEW ? `${id}.preview` : id; // an organiser who tries it may take part as well
  const [invitation] = useState(() => linkToken(`join.${seatKey}`));
  const [info, setInfo] = useState<JoinInfo | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [consents, setConsents] = useState<Consents | null>(null);
  const [declined, setDeclined] = useState(false);
  const [session, setSession] = useState<Session | null>(null);

  const enter = (token: string) => {
    const next = new Session(seatKey, token, devices, sound);
    setSession(next);
    next.start();
  };

  useEffect(() => {
    const seat = seatToken.get(seatKey);
    if (seat) {
      if (read(localStorage, `parley.mode.${id}`) !== 'chat') void devices.start();
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
    seatToken.clear(seatKey);
    session?.socket.end();
    setSession(null);
    setConsents(null);
  };

  if (session) return <Visit session={session} info={info} onStartAgain={startAgain} />;
  return (
    <div class="page">
      <TopBar />
      {PREVIEW && <p class="banner">{t('preview.banner')}</p>}
      {info && !problem && info.opens_at !== null && info.opens_at > now.value && <Opening id={id} opensAt={info.opens_at} token={invitation} />}
      {problem ? (
        <main class="notice" data-testid="join-problem">
          <h1>{t('join.problem')}</h1>
          <p>{problem}</p>
        </main>
      ) : !info ? (
        <main class="notice" aria-busy="true">
          <p>{t('loading')}</p>
        </main>
      ) : !info.open && !info.preview ? (
        <main class="notice" data-testid="join-closed">
          <h1>{info.title}</h1>
          <p>{t('join.closed')}</p>
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
          onJoined={(joined: JoinResponse, mode) => {
            write(localStorage, `parley.mode.${id}`, mode);
            seatToken.set(seatKey, joined.token);
            enter(joined.token);
          }}
        />
      )}
    </div>
  );
}

/** When it opens, in the reader's own time zone, and a file for the calendar. */
export function Opening({ id, opensAt, token }: { id: string; opensAt: number; token: string | null }) {
  return (
    <p class="banner" data-testid="opens-at">
      {t('join.opens', { time: dateTime(opensAt) })}{' '}
      <button type="button" class="link" data-testid="calendar" onClick={() => void download(`/api/deliberations/${encodeURIComponent(id)}/calendar.ics`, token, `${id}.ics`).catch((error: unknown) => toast(sentence(error), 'problem'))}>
        {t('join.calendar')}
      </button>
    </p>
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
