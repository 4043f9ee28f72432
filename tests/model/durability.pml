/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The durability order, to be checked in every interleaving (docs/durability.md tells it to people). A writer and the agent share a ring; the agent
 * owns a store; either may be killed between any two steps, both in the same moment too.
 *
 *     survives both   the ring: head, tail, slots, the statistics counter     libshm/ring_writer.h, include/spanring/ring_abi.h
 *     survives both   the store: records, cursor, rollups, totals             libstore/segment_writer.c, one transaction
 *     dies            position and limit of the writer                        libshm/ring_writer.h, thread_ring.c
 *     dies            taken, stored, the jobs, what was handed over           agent/intake/feed.c, handover.c, flush.c, statistics.c
 *
 * Each step touches one shared word, as the code does: the body of a slot, then its lap tag (W1); the head, published after a group or when
 * some time has passed (W3); the tail, looked at only when the ring seems full (W4); the copy of a record, body and tag apart (A1, A2, A1' to
 * A3'); the transaction (A3), which is one step because SQLite makes it one; the tail (A4). The loop of the agent and its store thread are
 * one process here that may do any of their steps next: that is every interleaving of the two. A commit may also be stored and reported as
 * failed (libstore/writer.c, "a commit in doubt").
 *
 * Asked of each run:
 *     a record is stored at most once, and only if its slot was whole;
 *     no slot is written again before its record is stored;
 *     the tail never passes the committed cursor, nor head or cursor the reach of the ring;
 *     at the end every whole record is stored, of a writer killed at any step too, and the sum of the rollups is the last total and
 *     what the program had counted.
 * "Nobody waits for ever" is the absence of invalid end states, which the checker looks for by itself.
 *
 * Not in here: memory order (spin has none; libshm/ring_order.h and tests/stress), 16-bit lap tags that come around, fsync. The bounds are
 * small: two laps of the ring, two kills of the agent, one of the writer, one commit in doubt. Every variant below fails within them.
 *
 * Broken on purpose, one macro each; check.sh wants a counterexample for every one:
 *     TAIL_FIRST      the tail is moved when a job is handed over, not when it is committed
 *     CURSOR_APART    records and cursor in two transactions
 *     TOTALS_APART    rollups and totals in two transactions
 *     RESUME_TAIL     a new agent goes on at the tail, not at the committed cursor
 *     NO_LAP          what lies behind the head is believed without its lap tag
 *     TAG_FIRST       the lap tag is stored before the body of its slot
 *     HEAD_FIRST      the head is published before the slot is written
 *     RETRY_BLIND     a commit in doubt is given again without asking whether it is stored
 *     STATISTICS_NEW  a new agent counts from zero, not from the stored totals
 */
#ifndef RECORDS
#define RECORDS 4 /* spans of the program; the long campaign takes 5 */
#endif
#define SLOTS 2 /* of the ring */
#define GROUP 2   /* SPANRING_PUBLISH_RECORDS */
#define KILLS 2   /* of the agent */
#define DOUBTS 1

#define SLOT(position) ((position) % SLOTS)
#define LAP(position) ((position) / SLOTS + 1) /* 0: never written */

/* The ring. */
byte head;
byte tail;
byte body[SLOTS];
byte tag[SLOTS];
byte spans; /* statistics */
bit gone;   /* the kernel marked the lock of the dead writer, or it left */

/* The store. */
byte copies[RECORDS + 1];
byte cursor;
byte rollups;
byte total;

/* What is true, for the assertions only. */
bit whole[RECORDS + 1];

/* Kills under way. */
bit kill_writer;
bit kill_agent;
byte kills;
byte doubts;
bit finished;

/* The agent's memory. Job states: 0 none, 1 given to the store thread, 2 done, 3 in doubt, 4 half done. */
byte taken;
byte stored;
byte handed;
byte open_count;
byte open_ids[SLOTS];
byte job;
byte job_count;
byte job_ids[SLOTS];
byte job_cursor;
byte job_rollups;
byte job_total;
byte copy_body;
byte copy_tag;
byte i;

active proctype killer() {
	do
	:: !kill_writer && !gone -> kill_writer = 1
	:: kills < KILLS && !kill_agent && !finished -> d_step { kills++; kill_agent = 1 }
	:: finished -> break
	od
}

active proctype writer() {
	byte position;
	byte limit = SLOTS;
	byte published;
	byte next = 1;
	{
		do
		:: next > RECORDS ->
			head = position;
			break
		:: next <= RECORDS ->
			if
			:: position == limit -> limit = tail + SLOTS /* W4 */
			:: else
			fi;
			if
			:: position == limit -> skip /* dropped, counted */
			:: position < limit ->
				assert(body[SLOT(position)] == 0 || copies[body[SLOT(position)]] == 1);
#ifdef HEAD_FIRST
				head = position + 1;
#endif
#ifdef TAG_FIRST
				tag[SLOT(position)] = LAP(position);
				d_step { body[SLOT(position)] = next; whole[next] = 1 };
#else
				body[SLOT(position)] = next;
				d_step { tag[SLOT(position)] = LAP(position); whole[next] = 1 }; /* W1 */
#endif
				position++;
				if
				:: d_step { head = position; published = position } /* W3: a group, or time */
				:: position - published < GROUP
				fi
			fi;
			spans++;
			next++
		od
	} unless { kill_writer };
	gone = 1
}

inline take_copy() {
	d_step {
		open_ids[open_count] = copy_body;
		open_count++;
		taken++;
		copy_body = 0;
		copy_tag = 0
	}
}

inline store_records() {
	i = 0;
	do
	:: i < job_count ->
		assert(whole[job_ids[i]]);
		copies[job_ids[i]]++;
		assert(copies[job_ids[i]] == 1);
		i++
	:: else -> break
	od;
	i = 0
}

inline hand_over() {
	d_step {
		i = 0;
		do
		:: i < open_count -> job_ids[i] = open_ids[i]; open_ids[i] = 0; i++
		:: else -> break
		od;
		i = 0;
		job_count = open_count;
		open_count = 0;
		job_cursor = taken;
		job_rollups = spans - handed;
		job_total = spans;
		handed = spans;
		job = 1
	}
}

/* A3: all of it, or nothing. */
inline commit(outcome) {
#if defined(CURSOR_APART)
	d_step { store_records(); rollups = rollups + job_rollups; total = job_total; job = 4 };
	d_step { cursor = job_cursor; job = outcome }
#elif defined(TOTALS_APART)
	d_step { store_records(); rollups = rollups + job_rollups; cursor = job_cursor; job = 4 };
	d_step { total = job_total; job = outcome }
#else
	d_step {
		store_records();
		cursor = job_cursor;
		rollups = rollups + job_rollups;
		total = job_total;
		job = outcome
	}
#endif
}

inline receive() {
	d_step {
		i = 0;
		do
		:: i < SLOTS -> job_ids[i] = 0; i++
		:: else -> break
		od;
		i = 0;
		stored = job_cursor;
		job = 0;
		job_count = 0;
		job_cursor = 0;
		job_rollups = 0;
		job_total = 0
	};
	assert(stored <= cursor);
	tail = stored /* A4 */
}

/* feed.c resume, statistics.c resume */
inline begin() {
	d_step {
		assert(tail <= cursor && cursor - tail <= SLOTS);
		assert(head <= tail + SLOTS);
#ifdef RESUME_TAIL
		taken = tail;
		stored = tail;
#else
		taken = cursor;
		stored = cursor;
#endif
#ifndef STATISTICS_NEW
		handed = total
#endif
	};
	tail = stored
}

/* Memory of a dead process. */
inline forget() {
	i = 0;
	do
	:: i < SLOTS -> open_ids[i] = 0; job_ids[i] = 0; i++
	:: else -> break
	od;
	i = 0;
	taken = 0;
	stored = 0;
	handed = 0;
	open_count = 0;
	job = 0;
	job_count = 0;
	job_cursor = 0;
	job_rollups = 0;
	job_total = 0;
	copy_body = 0;
	copy_tag = 0
}

inline check_end() {
	d_step {
		i = 1;
		do
		:: i <= RECORDS -> assert(copies[i] == whole[i]); i++
		:: else -> break
		od;
		i = 0;
		assert(rollups == total && total == spans);
		assert(tail == cursor);
		finished = 1
	}
}

#define ROOM (taken - stored < SLOTS)
#ifdef NO_LAP
#define BEHIND (gone && head <= taken && ROOM && tag[SLOT(taken)] != 0)
#define COPY_IS_RIGHT true
#else
#define BEHIND (ROOM && tag[SLOT(taken)] == LAP(taken))
#define COPY_IS_RIGHT (copy_tag == LAP(taken))
#endif

active proctype agent() {
	do
	:: finished -> break
	:: !finished ->
		{
			begin();
			do
			:: head > taken -> /* A1 */
				copy_body = body[SLOT(taken)]; /* A2 */
				copy_tag = tag[SLOT(taken)];
				assert(COPY_IS_RIGHT);
				take_copy()
			:: BEHIND -> /* A1': of a living writer too; A2' is for memory order */
				copy_body = body[SLOT(taken)]; /* A3' */
				copy_tag = tag[SLOT(taken)];
				if
				:: COPY_IS_RIGHT -> take_copy()
				:: else -> d_step { copy_body = 0; copy_tag = 0 }
				fi
			:: job == 0 && (open_count > 0 || spans != handed) ->
				hand_over();
#ifdef TAIL_FIRST
				tail = job_cursor
#endif
			:: job == 1 -> commit(2)
			:: job == 1 && doubts < DOUBTS -> doubts++; commit(3)
			:: job == 3 ->
#ifdef RETRY_BLIND
				job = 1
#else
				job = 2 /* the segment says that it is stored */
#endif
			:: job == 2 -> receive()
			:: gone && job == 0 && open_count == 0 && spans == handed && head <= taken && !BEHIND ->
				check_end();
				break
			od
		} unless { d_step { kill_agent && !finished -> kill_agent = 0; forget() } }
	od
}
