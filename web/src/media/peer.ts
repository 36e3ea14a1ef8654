/**
 * The page's one RTCPeerConnection. It offers once: own audio and video first, then a pair of receiving lines per other seat; which line carries
 * whom is told by the server (`media.slots`). A failed or replaced connection is made anew, never renegotiated.
 */
import { effect, signal } from '@preact/signals';
import type { ClientMessage, IceServer, MediaAnswer } from '../protocol/types';
import type { Devices } from './devices';
import type { Sound } from './sound';

const DISCONNECTED_GRACE_MS = 5000;
const VIDEO_BITRATE = 600_000;

declare global {
  interface Window {
    __parley?: { pc: RTCPeerConnection | null };
  }
}

export interface PeerOptions {
  iceServers: readonly IceServer[];
  slots: number;
  send: (message: ClientMessage) => void;
  devices: Devices;
  /** What is sent: a participant's both, a speaking facilitator's voice, a listening one's nothing. */
  sends: 'both' | 'audio' | 'nothing';
  sound: Sound;
}

export class Peer {
  readonly state = signal<RTCPeerConnectionState>('new');
  /** Received video tracks by the line's mid. */
  readonly videos = signal<Record<string, MediaStreamTrack>>({});
  private pc: RTCPeerConnection | null = null;
  private offerId = 0;
  private offered = false;
  private early: RTCIceCandidate[] = [];
  private stopFollowing: Array<() => void> = [];
  private graceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: PeerOptions) {}

  /** Make a (new) connection. */
  async connect(): Promise<void> {
    this.close();
    const { iceServers, slots, devices, sends, sound } = this.options;
    const pc = new RTCPeerConnection({
      bundlePolicy: 'max-bundle',
      iceServers: iceServers.map((s) => ({ urls: [...s.urls], ...(s.username ? { username: s.username, credential: s.credential ?? '' } : {}) })),
    });
    this.pc = pc;
    window.__parley = { pc };
    if (sends !== 'nothing') this.follow(pc.addTransceiver('audio', { direction: 'sendonly' }), devices, 'audio');
    if (sends === 'both') this.follow(sendVideo(pc), devices, 'video');
    for (let i = 0; i < slots; i++) {
      prefer(pc.addTransceiver('audio', { direction: 'recvonly' }), 'audio', /opus/i);
      prefer(pc.addTransceiver('video', { direction: 'recvonly' }), 'video', /vp8|rtx/i);
    }
    pc.ontrack = ({ track, transceiver }) => {
      const mid = transceiver.mid ?? '';
      if (track.kind === 'audio') sound.play(mid, track);
      else this.videos.value = { ...this.videos.value, [mid]: track };
    };
    pc.onicecandidate = ({ candidate }) => {
      if (!candidate || !candidate.candidate) return;
      if (this.offered) this.trickle(candidate);
      else this.early.push(candidate);
    };
    pc.onconnectionstatechange = () => this.pc === pc && this.changed(pc.connectionState);
    const id = ++this.offerId;
    await pc.setLocalDescription();
    if (this.pc !== pc) return;
    this.options.send({ type: 'media.offer', id, sdp: pc.localDescription?.sdp ?? '' });
    this.offered = true;
    this.early.splice(0).forEach((candidate) => this.trickle(candidate));
  }

  async answer(message: MediaAnswer): Promise<void> {
    if (message.id !== this.offerId || !this.pc || this.pc.signalingState !== 'have-local-offer') return;
    await this.pc.setRemoteDescription({ type: 'answer', sdp: message.sdp });
  }

  close(): void {
    clearTimeout(this.graceTimer);
    for (const stop of this.stopFollowing.splice(0)) stop();
    const pc = this.pc;
    this.pc = null;
    this.offered = false;
    this.early = [];
    this.videos.value = {};
    this.options.sound.silence();
    if (pc) pc.close();
    if (window.__parley) window.__parley.pc = null;
    this.state.value = 'new';
  }

  private follow(transceiver: RTCRtpTransceiver, devices: Devices, kind: 'audio' | 'video'): void {
    this.stopFollowing.push(
      effect(() => {
        void transceiver.sender.replaceTrack(devices.tracks[kind].value).catch(() => undefined);
      }),
    );
  }

  private trickle(candidate: RTCIceCandidate): void {
    this.options.send({ type: 'media.candidate', candidate: candidate.candidate, mid: candidate.sdpMid ?? '0' });
  }

  private changed(state: RTCPeerConnectionState): void {
    this.state.value = state;
    clearTimeout(this.graceTimer);
    if (state === 'failed') void this.connect();
    if (state === 'disconnected') this.graceTimer = setTimeout(() => void this.connect(), DISCONNECTED_GRACE_MS);
  }
}

/** The sending video line: VP8, in temporal layers where the browser can. */
function sendVideo(pc: RTCPeerConnection): RTCRtpTransceiver {
  const encoding: RTCRtpEncodingParameters & { scalabilityMode?: string } = { maxBitrate: VIDEO_BITRATE };
  let line: RTCRtpTransceiver;
  try {
    line = pc.addTransceiver('video', { direction: 'sendonly', sendEncodings: [{ ...encoding, scalabilityMode: 'L1T3' } as RTCRtpEncodingParameters] });
  } catch {
    line = pc.addTransceiver('video', { direction: 'sendonly', sendEncodings: [encoding] });
  }
  prefer(line, 'video', /vp8|rtx/i);
  return line;
}

/** Offer only these codecs on a line: what the server forwards, and a description that stays small. */
function prefer(line: RTCRtpTransceiver, kind: 'audio' | 'video', wanted: RegExp): void {
  const codecs = (RTCRtpReceiver.getCapabilities(kind)?.codecs ?? []).filter((codec) => wanted.test(codec.mimeType));
  if (codecs.length > 0) line.setCodecPreferences(codecs);
}
