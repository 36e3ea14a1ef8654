/* The hot loop of the media plane in C: `packets.py` uses it where it was built, else the same in Python (`emitter.py`, `datagrams.py`).

   Owns nothing but mechanics: open a protected packet, write one subscriber's copy of it, send what waits. Every decision (who gets what,
   under which number) stays in Python. Everything here runs on the event loop's thread with the interpreter's lock held: a send to a UDP
   socket does not wait, and giving the lock away at each would cost more than the call.

   Invariants: a slot of the arena holds one packet from `emit` to the next `flush`; lanes with packets are in `waiting`, each once. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sendmmsg */
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define SLOTS 1024          /* packets that wait for a flush; one more flushes early */
#define SLOT_BYTES 2048
#define MAX_HEADER 96
#define MAX_ENTRIES 256     /* datagrams of one system call */
#define MAX_SEGMENTS 32
#define MAX_SEGMENTED_BYTES 60000
#define TRAILER 160         /* what SRTP may add: a tag, and a key identifier that is not used here */

typedef int (*srtp_function)(void *, void *, int *);
static srtp_function protect, unprotect;
static PyTypeObject *vp8_type;
static PyObject *str_fileno;

static inline uint16_t read16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline void write16(uint8_t *p, uint32_t v) { p[0] = v >> 8; p[1] = v; }
static inline void write32(uint8_t *p, uint32_t v) { p[0] = v >> 24; p[1] = v >> 16; p[2] = v >> 8; p[3] = v; }

/* The second (or third) item of a named tuple that carries an address of C memory. */
static void *pointer_in(PyObject *tuple, Py_ssize_t item) {
    if (!PyTuple_Check(tuple) || PyTuple_GET_SIZE(tuple) <= item) {
        PyErr_SetString(PyExc_TypeError, "a tuple with a pointer is needed");
        return NULL;
    }
    return PyLong_AsVoidPtr(PyTuple_GET_ITEM(tuple, item));
}

/* -- the outbox */

typedef struct {
    PyObject_HEAD
    PyObject *sock, *address;
    struct sockaddr_storage name;
    socklen_t name_size;
    char segments;
    int first, last;        /* slots of the packets that wait, -1: none */
} Lane;

static uint8_t arena[SLOTS][SLOT_BYTES];
static int slot_size[SLOTS], slot_next[SLOTS], used;
static Lane *waiting[SLOTS];
static int waiting_count;
static unsigned long long unsent;

static struct mmsghdr headers[MAX_ENTRIES];
static struct iovec vectors[SLOTS];
static union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(uint16_t))]; } controls[MAX_ENTRIES];
static struct { Lane *lane; int first, count; } entries[MAX_ENTRIES];
static int entry_count, vector_count;

/* The descriptor of a lane's socket, -1 where it is closed. */
static int descriptor_of(Lane *lane) {
    PyObject *number = PyObject_CallMethodNoArgs(lane->sock, str_fileno);
    long fd = number ? PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    if (PyErr_Occurred()) { PyErr_Clear(); fd = -1; }
    return (int)fd;
}

static void send_singly(int fd, Lane *lane, int slot, int count) {
    for (; count > 0; count--, slot = slot_next[slot])
        if (sendto(fd, arena[slot], slot_size[slot], 0, (struct sockaddr *)&lane->name, lane->name_size) < 0) unsent++;
}

static void send_entries(void) {
    int count = entry_count, done = 0;
    entry_count = vector_count = 0;
    if (!count) return;
    int fd = descriptor_of(entries[0].lane);
    if (fd < 0) return;
    while (done < count) {
        int sent = sendmmsg(fd, headers + done, count - done, 0);
        if (sent > 0) { done += sent; continue; }
        Lane *lane = entries[done].lane;
        if (entries[done].count > 1 && (errno == EINVAL || errno == EIO || errno == EMSGSIZE || errno == EOPNOTSUPP)) {
            lane->segments = 0;     /* the kernel or the device refuses; singly it may go */
            send_singly(fd, lane, entries[done].first, entries[done].count);
        } else unsent += entries[done].count;
        done++;
    }
}

static void flush_waiting(void) {
    for (int i = 0; i < waiting_count; i++) {
        Lane *lane = waiting[i];
        for (int slot = lane->first; slot >= 0;) {
            int size = slot_size[slot], first = slot, length = 0, octets = 0;
            if (entry_count == MAX_ENTRIES || (entry_count && entries[0].lane->sock != lane->sock)) send_entries();
            struct mmsghdr *header = headers + entry_count;
            struct iovec *start = vectors + vector_count;
            /* Packets of one size go as one segmented datagram, of which the last may be shorter. */
            while (slot >= 0 && (!length || (lane->segments && slot_size[slot] <= size && length < MAX_SEGMENTS &&
                                             octets + slot_size[slot] <= MAX_SEGMENTED_BYTES))) {
                start[length].iov_base = arena[slot];
                start[length].iov_len = slot_size[slot];
                octets += slot_size[slot];
                length++;
                int shorter = slot_size[slot] < size;
                slot = slot_next[slot];
                if (shorter) break;
            }
            memset(header, 0, sizeof *header);
            header->msg_hdr.msg_name = &lane->name;
            header->msg_hdr.msg_namelen = lane->name_size;
            header->msg_hdr.msg_iov = start;
            header->msg_hdr.msg_iovlen = length;
            if (length > 1) {
                struct cmsghdr *control = &controls[entry_count].align;
                uint16_t segment = (uint16_t)size;
                control->cmsg_len = CMSG_LEN(sizeof segment);
                control->cmsg_level = IPPROTO_UDP;
                control->cmsg_type = UDP_SEGMENT;
                memcpy(CMSG_DATA(control), &segment, sizeof segment);
                header->msg_hdr.msg_control = control;
                header->msg_hdr.msg_controllen = CMSG_SPACE(sizeof segment);
            }
            entries[entry_count].lane = lane;
            entries[entry_count].first = first;
            entries[entry_count].count = length;
            entry_count++;
            vector_count += length;
        }
    }
    send_entries();
    for (int i = 0; i < waiting_count; i++) {
        waiting[i]->first = waiting[i]->last = -1;
        Py_DECREF(waiting[i]);
    }
    waiting_count = used = 0;
}

/* Queue a filled slot, which must be the one at `used`. */
static void queue(Lane *lane, int size) {
    int slot = used++;
    slot_size[slot] = size;
    slot_next[slot] = -1;
    if (lane->first < 0) {
        lane->first = slot;
        Py_INCREF(lane);
        waiting[waiting_count++] = lane;
    } else slot_next[lane->last] = slot;
    lane->last = slot;
}

static uint8_t *free_slot(void) {
    if (used == SLOTS) flush_waiting();
    return arena[used];
}

static int lane_init(Lane *self, PyObject *args, PyObject *kwargs) {
    PyObject *sock, *address;
    const char *name;
    Py_ssize_t size;
    if (kwargs && PyDict_GET_SIZE(kwargs)) { PyErr_SetString(PyExc_TypeError, "Lane takes no keywords"); return -1; }
    if (!PyArg_ParseTuple(args, "OOy#", &sock, &address, &name, &size)) return -1;
    if (size > (Py_ssize_t)sizeof self->name) { PyErr_SetString(PyExc_ValueError, "a socket's name is shorter"); return -1; }
    memcpy(&self->name, name, size);
    self->name_size = (socklen_t)size;
    self->segments = 1;
    self->first = self->last = -1;
    Py_INCREF(sock); Py_XSETREF(self->sock, sock);
    Py_INCREF(address); Py_XSETREF(self->address, address);
    return 0;
}

static void lane_dealloc(Lane *self) {
    Py_XDECREF(self->sock);
    Py_XDECREF(self->address);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMemberDef lane_members[] = {
    {"sock", T_OBJECT_EX, offsetof(Lane, sock), READONLY, NULL},
    {"address", T_OBJECT_EX, offsetof(Lane, address), READONLY, NULL},
    {"segments", T_BOOL, offsetof(Lane, segments), 0, NULL},
    {NULL},
};

static PyTypeObject LaneType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "server.media._packets.Lane",
    .tp_doc = "Lane(sock, address, name): the way to one peer; see datagrams.Lane.",
    .tp_basicsize = sizeof(Lane),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)lane_init,
    .tp_dealloc = (destructor)lane_dealloc,
    .tp_members = lane_members,
};

typedef struct { PyObject_HEAD } Outbox;

static PyObject *outbox_flush(PyObject *self, PyObject *ignored) {
    flush_waiting();
    Py_RETURN_NONE;
}

static PyObject *outbox_add(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 3 || !Py_IS_TYPE(args[0], &LaneType)) { PyErr_SetString(PyExc_TypeError, "add(lane, buffer, size)"); return NULL; }
    void *from = pointer_in(args[1], 2);
    long size = PyLong_AsLong(args[2]);
    if (PyErr_Occurred()) return NULL;
    if (size < 0 || size > SLOT_BYTES) { PyErr_SetString(PyExc_ValueError, "more than a buffer holds"); return NULL; }
    memcpy(free_slot(), from, size);
    queue((Lane *)args[0], (int)size);
    Py_RETURN_NONE;
}

static PyObject *outbox_unsent(PyObject *self, void *closure) { return PyLong_FromUnsignedLongLong(unsent); }

static PyMethodDef outbox_methods[] = {
    {"flush", outbox_flush, METH_NOARGS, "Send everything that is queued."},
    {"add", (PyCFunction)outbox_add, METH_FASTCALL, "Queue the first `size` bytes of `buffer` for a peer."},
    {NULL},
};
static PyGetSetDef outbox_getset[] = {
    {"unsent", outbox_unsent, NULL, "Datagrams that the system did not take.", NULL},
    {NULL},
};
static PyTypeObject OutboxType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "server.media._packets.Outbox",
    .tp_doc = "What one wake-up has to send; see datagrams.Outbox. All instances are the process's one.",
    .tp_basicsize = sizeof(Outbox),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_methods = outbox_methods,
    .tp_getset = outbox_getset,
};

/* -- the emitter */

typedef struct {
    PyObject_HEAD
    PyObject *lane, *context, *send, *address;
    void *srtp;
    uint8_t header[MAX_HEADER];
    int header_size, send_time_at, level_at;
    int payload_type;
    long long timestamp_shift, tl0_shift;
    unsigned long long packets, octets, errors;
} Emitter;

static int emitter_init(Emitter *self, PyObject *args, PyObject *kwargs) {
    const char *header;
    PyObject *send, *address;
    Py_ssize_t size;
    if (kwargs && PyDict_GET_SIZE(kwargs)) { PyErr_SetString(PyExc_TypeError, "Emitter takes no keywords"); return -1; }
    if (!PyArg_ParseTuple(args, "iy#iiOO", &self->payload_type, &header, &size, &self->send_time_at, &self->level_at,
                          &send, &address)) return -1;
    Py_INCREF(send); Py_XSETREF(self->send, send);
    Py_INCREF(address); Py_XSETREF(self->address, address);
    if (size < 12 || size > MAX_HEADER) { PyErr_SetString(PyExc_ValueError, "not an RTP header"); return -1; }
    if (self->send_time_at < 0 || self->send_time_at > size - 3 || self->level_at < 0 || self->level_at >= size) {
        PyErr_SetString(PyExc_ValueError, "outside the header");
        return -1;
    }
    memcpy(self->header, header, size);
    self->header_size = (int)size;
    Py_INCREF(Py_None); Py_XSETREF(self->lane, Py_None);
    Py_INCREF(Py_None); Py_XSETREF(self->context, Py_None);
    self->srtp = NULL;
    return 0;
}

static int emitter_traverse(Emitter *self, visitproc visit, void *arg) {
    Py_VISIT(self->lane); Py_VISIT(self->context); Py_VISIT(self->send); Py_VISIT(self->address);
    return 0;
}

static int emitter_clear(Emitter *self) {
    self->srtp = NULL;
    Py_CLEAR(self->lane); Py_CLEAR(self->context); Py_CLEAR(self->send); Py_CLEAR(self->address);
    return 0;
}

static void emitter_dealloc(Emitter *self) {
    PyObject_GC_UnTrack(self);
    emitter_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *get_context(Emitter *self, void *closure) { return Py_NewRef(self->context ? self->context : Py_None); }

static int set_context(Emitter *self, PyObject *value, void *closure) {
    void *srtp = NULL;
    if (!value) { PyErr_SetString(PyExc_AttributeError, "context"); return -1; }
    if (value != Py_None) {
        srtp = pointer_in(value, 1);
        if (PyErr_Occurred()) return -1;
    }
    self->srtp = srtp;
    Py_INCREF(value); Py_XSETREF(self->context, value);
    return 0;
}

static PyObject *get_lane(Emitter *self, void *closure) { return Py_NewRef(self->lane ? self->lane : Py_None); }

static int set_lane(Emitter *self, PyObject *value, void *closure) {
    if (!value || (value != Py_None && !Py_IS_TYPE(value, &LaneType))) { PyErr_SetString(PyExc_TypeError, "a Lane or None"); return -1; }
    Py_INCREF(value); Py_XSETREF(self->lane, value);
    return 0;
}

/* Write PictureID and TL0PICIDX of the payload at `body` (RFC 7741, section 4.2), shifted. */
static int shift_vp8(uint8_t *body, Py_ssize_t size, PyObject *vp8, long long picture, long long tl0) {
    if (!PyTuple_Check(vp8) || PyTuple_GET_SIZE(vp8) != 9) { PyErr_SetString(PyExc_TypeError, "a Vp8Descriptor is needed"); return -1; }
    long at = PyLong_AsLong(PyTuple_GET_ITEM(vp8, 2)), id = PyLong_AsLong(PyTuple_GET_ITEM(vp8, 3));
    long bits = PyLong_AsLong(PyTuple_GET_ITEM(vp8, 4));
    long tl0_at = PyLong_AsLong(PyTuple_GET_ITEM(vp8, 5)), index = PyLong_AsLong(PyTuple_GET_ITEM(vp8, 6));
    if (PyErr_Occurred()) return -1;
    if (at < 0 || at + 1 >= size || tl0_at < 0 || tl0_at >= size) { PyErr_SetString(PyExc_ValueError, "outside the payload"); return -1; }
    if (bits == 15) write16(body + at, 0x8000 | ((id + picture) & 0x7FFF));
    else if (bits == 7) body[at] = (id + picture) & 0x7F;
    if (tl0_at) body[tl0_at] = (index + tl0) & 0xFF;
    return 0;
}

/* Copy the header into a free slot and write what every packet has of its own. `first` is the marker with the payload type. */
static uint8_t *begin(Emitter *self, long long first, long long number, long long timestamp, PyObject *send_time) {
    uint8_t *slot = free_slot();
    memcpy(slot, self->header, self->header_size);
    slot[1] = (uint8_t)first;
    write16(slot + 2, (uint32_t)number);
    write32(slot + 4, (uint32_t)(timestamp + self->timestamp_shift));
    if (self->send_time_at) memcpy(slot + self->send_time_at, PyBytes_AS_STRING(send_time), 3);
    return slot;
}

/* Protect and queue what stands in the free slot; -1 with an exception only if the relay's `send` raised one. */
static int dispatch(Emitter *self, uint8_t *slot, int length, Py_ssize_t payload) {
    if (protect(self->srtp, slot, &length)) { self->errors++; return 0; }
    if (self->lane != Py_None) queue((Lane *)self->lane, length);
    else {
        PyObject *done = PyObject_CallFunction(self->send, "y#O", (char *)slot, (Py_ssize_t)length, self->address);
        if (!done) return -1;
        Py_DECREF(done);
    }
    if (payload >= 0) { self->packets++; self->octets += payload; }
    return 0;
}

/* emit(marker, number, timestamp, payload, send_time, level, vp8, picture) */
static PyObject *emitter_emit(Emitter *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 8 || !PyBytes_Check(args[3]) || !PyBytes_Check(args[4]) || PyBytes_GET_SIZE(args[4]) != 3) {
        PyErr_SetString(PyExc_TypeError, "emit(marker, number, timestamp, payload, send_time, level, vp8, picture)");
        return NULL;
    }
    long marker = PyLong_AsLong(args[0]), level = PyLong_AsLong(args[5]);
    long long number = PyLong_AsLongLong(args[1]), timestamp = PyLong_AsLongLong(args[2]), picture = PyLong_AsLongLong(args[7]);
    if (PyErr_Occurred()) return NULL;
    Py_ssize_t size = PyBytes_GET_SIZE(args[3]);
    int start = self->header_size;
    if (!self->srtp || !self->lane || start + size + TRAILER > SLOT_BYTES) { self->errors++; Py_RETURN_NONE; }
    uint8_t *slot = begin(self, marker | self->payload_type, number, timestamp, args[4]);
    if (self->level_at) slot[self->level_at] = (uint8_t)level;
    memcpy(slot + start, PyBytes_AS_STRING(args[3]), size);
    if ((picture || self->tl0_shift) && shift_vp8(slot + start, size, args[6], picture, self->tl0_shift)) return NULL;
    if (dispatch(self, slot, start + (int)size, size)) return NULL;
    Py_RETURN_NONE;
}

/* emit_rtx(ssrc, payload_type, rtx_number, marker, number, timestamp, payload, send_time, vp8, picture): RFC 4588, section 4 */
static PyObject *emitter_emit_rtx(Emitter *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 10 || !PyBytes_Check(args[6]) || !PyBytes_Check(args[7]) || PyBytes_GET_SIZE(args[7]) != 3) {
        PyErr_SetString(PyExc_TypeError, "emit_rtx(ssrc, payload_type, rtx_number, marker, number, timestamp, payload, send_time, vp8, picture)");
        return NULL;
    }
    long long ssrc = PyLong_AsLongLong(args[0]), type = PyLong_AsLongLong(args[1]), own = PyLong_AsLongLong(args[2]);
    long long marker = PyLong_AsLongLong(args[3]), number = PyLong_AsLongLong(args[4]), timestamp = PyLong_AsLongLong(args[5]);
    long long picture = PyLong_AsLongLong(args[9]);
    if (PyErr_Occurred()) return NULL;
    Py_ssize_t size = PyBytes_GET_SIZE(args[6]);
    int start = self->header_size;
    if (!self->srtp || start + 2 + size + TRAILER > SLOT_BYTES) { self->errors++; Py_RETURN_NONE; }
    uint8_t *slot = begin(self, marker | type, own, timestamp, args[7]);
    write32(slot + 8, (uint32_t)ssrc);
    write16(slot + start, (uint32_t)number);
    memcpy(slot + start + 2, PyBytes_AS_STRING(args[6]), size);
    if ((picture || self->tl0_shift) && shift_vp8(slot + start + 2, size, args[8], picture, self->tl0_shift)) return NULL;
    if (dispatch(self, slot, start + 2 + (int)size, -1)) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef emitter_methods[] = {
    {"emit", (PyCFunction)emitter_emit, METH_FASTCALL, "See emitter.Emitter.emit."},
    {"emit_rtx", (PyCFunction)emitter_emit_rtx, METH_FASTCALL, "See emitter.Emitter.emit_rtx."},
    {NULL},
};
static PyMemberDef emitter_members[] = {
    {"send", T_OBJECT_EX, offsetof(Emitter, send), 0, NULL},
    {"address", T_OBJECT_EX, offsetof(Emitter, address), 0, NULL},
    {"payload_type", T_INT, offsetof(Emitter, payload_type), READONLY, NULL},
    {"timestamp_shift", T_LONGLONG, offsetof(Emitter, timestamp_shift), 0, NULL},
    {"tl0_shift", T_LONGLONG, offsetof(Emitter, tl0_shift), 0, NULL},
    {"packets", T_ULONGLONG, offsetof(Emitter, packets), 0, NULL},
    {"octets", T_ULONGLONG, offsetof(Emitter, octets), 0, NULL},
    {"errors", T_ULONGLONG, offsetof(Emitter, errors), 0, NULL},
    {NULL},
};
static PyGetSetDef emitter_getset[] = {
    {"context", (getter)get_context, (setter)set_context, NULL, NULL},
    {"lane", (getter)get_lane, (setter)set_lane, NULL, NULL},
    {NULL},
};
static PyTypeObject EmitterType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "server.media._packets.Emitter",
    .tp_doc = "Emitter(payload_type, header, send_time_at, level_at, send, address); see emitter.Emitter.",
    .tp_basicsize = sizeof(Emitter),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)emitter_init,
    .tp_traverse = (traverseproc)emitter_traverse,
    .tp_clear = (inquiry)emitter_clear,
    .tp_dealloc = (destructor)emitter_dealloc,
    .tp_methods = emitter_methods,
    .tp_members = emitter_members,
    .tp_getset = emitter_getset,
};

/* -- packets in */

/* parse_vp8(payload) -> Vp8Descriptor | None (RFC 7741, section 4.2) */
static PyObject *parse_vp8(PyObject *module, PyObject *payload) {
    if (!PyBytes_Check(payload)) { PyErr_SetString(PyExc_TypeError, "bytes are needed"); return NULL; }
    const uint8_t *p = (const uint8_t *)PyBytes_AS_STRING(payload);
    Py_ssize_t size = PyBytes_GET_SIZE(payload), at = 1, picture_at = 0, tl0_at = 0;
    long picture_id = 0, picture_bits = 0, tl0 = 0, layer = 0;
    int sync = 0, start, key;
    if (size < 2) Py_RETURN_NONE;
    if (p[0] & 0x80) {
        uint8_t flags = p[1];
        at = 2;
        if (flags & 0x80) {
            if (at >= size) Py_RETURN_NONE;
            picture_at = at; picture_bits = 7; picture_id = p[at++] & 0x7F;
            if (p[picture_at] & 0x80) {
                if (at >= size) Py_RETURN_NONE;
                picture_bits = 15; picture_id = picture_id << 8 | p[at++];
            }
        }
        if (flags & 0x40) {
            if (at >= size) Py_RETURN_NONE;
            tl0_at = at; tl0 = p[at++];
        }
        if (flags & 0x30) {
            if (at >= size) Py_RETURN_NONE;
            if (flags & 0x20) { layer = p[at] >> 6; sync = (p[at] & 0x20) != 0; }
            at++;
        }
    }
    if (at >= size) Py_RETURN_NONE;
    start = (p[0] & 0x17) == 0x10;
    key = start && !(p[at] & 1);
    PyObject *out = vp8_type->tp_alloc(vp8_type, 9);
    if (!out) return NULL;
    PyTuple_SET_ITEM(out, 0, PyBool_FromLong(start));
    PyTuple_SET_ITEM(out, 1, PyBool_FromLong(key));
    PyTuple_SET_ITEM(out, 2, PyLong_FromSsize_t(picture_at));
    PyTuple_SET_ITEM(out, 3, PyLong_FromLong(picture_id));
    PyTuple_SET_ITEM(out, 4, PyLong_FromLong(picture_bits));
    PyTuple_SET_ITEM(out, 5, PyLong_FromSsize_t(tl0_at));
    PyTuple_SET_ITEM(out, 6, PyLong_FromLong(tl0));
    PyTuple_SET_ITEM(out, 7, PyLong_FromLong(layer));
    PyTuple_SET_ITEM(out, 8, PyBool_FromLong(sync));
    return out;
}

/* open_packet(context, buffer, length, level_id, cc_id) -> (marker and type, sequence, timestamp, level, transport sequence, payload),
   False: not authentic, None: malformed. Unprotects in place. */
static PyObject *open_packet(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    if (count != 5) { PyErr_SetString(PyExc_TypeError, "open_packet(context, buffer, length, level_id, cc_id)"); return NULL; }
    void *context = pointer_in(args[0], 1);
    uint8_t *p = pointer_in(args[1], 2);
    long asked = PyLong_AsLong(args[2]), level_id = PyLong_AsLong(args[3]), cc_id = PyLong_AsLong(args[4]);
    if (PyErr_Occurred()) return NULL;
    if (asked < 12 || asked > SLOT_BYTES) Py_RETURN_NONE;
    int length = (int)asked;
    if (unprotect(context, p, &length)) Py_RETURN_FALSE;
    if (length < 12 || p[0] >> 6 != 2) Py_RETURN_NONE;
    int start = 12 + 4 * (p[0] & 0x0F), at = 0, extensions_end = 0, end = length;
    if (p[0] & 0x10) {
        if (start + 4 > length) Py_RETURN_NONE;
        int profile = read16(p + start), words = read16(p + start + 2);
        at = start + 4;
        start = at + 4 * words;
        extensions_end = profile == 0xBEDE ? start : at;
    }
    if (start > length) Py_RETURN_NONE;
    if (p[0] & 0x20) {
        int padding = length > start ? p[length - 1] : 0;
        if (padding < 1 || padding > length - start) Py_RETURN_NONE;
        end = length - padding;
    }
    int level = -1, transport = -1;
    while (at < extensions_end) {   /* RFC 8285, section 4.2 */
        if (!p[at]) { at++; continue; }
        int id = p[at] >> 4, size = (p[at] & 0x0F) + 1;
        at++;
        if (id == 15 || at + size > extensions_end) break;
        if (id == level_id) level = p[at] & 0x7F;
        else if (id == cc_id && size == 2) transport = read16(p + at);
        at += size;
    }
    PyObject *out = PyTuple_New(6), *payload = PyBytes_FromStringAndSize((char *)p + start, end - start);
    if (!out || !payload) { Py_XDECREF(out); Py_XDECREF(payload); return NULL; }
    uint32_t timestamp = (uint32_t)p[4] << 24 | p[5] << 16 | p[6] << 8 | p[7];
    PyTuple_SET_ITEM(out, 0, PyLong_FromLong(p[1]));
    PyTuple_SET_ITEM(out, 1, PyLong_FromLong(read16(p + 2)));
    PyTuple_SET_ITEM(out, 2, PyLong_FromUnsignedLong(timestamp));
    PyTuple_SET_ITEM(out, 3, level < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(level));
    PyTuple_SET_ITEM(out, 4, transport < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(transport));
    PyTuple_SET_ITEM(out, 5, payload);
    return out;
}

/* setup(protect, unprotect, Vp8Descriptor): addresses of libsrtp's functions, and the class that parse_vp8 makes */
static PyObject *setup(PyObject *module, PyObject *args) {
    PyObject *to, *from, *type;
    if (!PyArg_ParseTuple(args, "OOO!", &to, &from, &PyType_Type, &type)) return NULL;
    if (!PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type)) { PyErr_SetString(PyExc_TypeError, "a named tuple is needed"); return NULL; }
    protect = (srtp_function)PyLong_AsVoidPtr(to);
    unprotect = (srtp_function)PyLong_AsVoidPtr(from);
    if (PyErr_Occurred()) return NULL;
    Py_INCREF(type); Py_XSETREF(vp8_type, (PyTypeObject *)type);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"setup", setup, METH_VARARGS, NULL},
    {"open_packet", (PyCFunction)open_packet, METH_FASTCALL, "See emitter.open_packet."},
    {"parse_vp8", parse_vp8, METH_O, "See rtp.parse_vp8."},
    {NULL},
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "server.media._packets", .m_doc = "The hot loop of the media plane; see packets.py.", .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__packets(void) {
    PyObject *module = PyModule_Create(&definition);
    if (!module) return NULL;
    str_fileno = PyUnicode_InternFromString("fileno");
    if (!str_fileno || PyModule_AddType(module, &LaneType) < 0 || PyModule_AddType(module, &OutboxType) < 0 ||
        PyModule_AddType(module, &EmitterType) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
