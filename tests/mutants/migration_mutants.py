# SPDX-License-Identifier: MIT
"""The stream and the engine: checks that are not made, totals that do not count, orders that do
not hold."""

STREAM = ("test_stream_sections test_stream_parts test_stream_short test_stream test_engine "
          "fuzz_stream")
ENGINE = "test_engine test_engine_answers test_engine_last_round test_stream"
STATES = "test_state_descs test_vm_state"

# A condition may hold one level of parentheses inside its own.
IF = r"if \(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\s+"
CHECK = IF + r"(?=return stream_fail\(\s*[^,]*, STREAM_([A-Z_]+))"
FIELD = r"(?:STATE_)?FIELD\((?:struct \w+, )?(\w+)\),"


MUTANTS = []
# Each condition under which a stream is refused, each field that moves: left out.
for part in ("stream", "stream_config", "stream_ram", "stream_state", "dest", "dest_verify",
             "state_hash"):
    MUTANTS += each("unchecked-" + part.replace("_", "-"), "migration/%s.c" % part, CHECK,
                    r"if (false && (\1)) ", STREAM)
for path, table in (("kernel/vcpu_state.c", "vcpu_state"), ("devices/uart.c", "uart")):
    MUTANTS += each("field-left-out-of-" + table.replace("_state", ""), path, FIELD, "", STATES,
                    begin="static const struct state_field ")
MUTANTS += each("field-left-out-of-testdev", "devices/testdev.c", FIELD, "", "test_testdev",
                begin="static const struct state_field ")

MUTANTS += [
    # Checksums, sequence, totals: on the writer's side, and each part of them.
    mutant("checksum-without-the-header", "migration/stream.c",
           "hash64(payload, len, hash64(header, SECTION_CHECKED, 0))",
           "hash64(payload, len + 0 * header[0], 0)", STREAM),
    mutant("checksum-without-the-payload", "migration/stream.c",
           "hash64(payload, len, hash64(header, SECTION_CHECKED, 0))",
           "hash64(payload, 0 * len, hash64(header, SECTION_CHECKED, 0))", STREAM),
    mutant("chain-of-the-last-checksum-only", "migration/stream.c",
           "return hash64(b, sizeof(b), hash);", "return hash64(b, sizeof(b), 0 * hash);", STREAM),
    mutant("sequence-not-counted", "migration/stream.c", "r->sequence++;", ";", STREAM),
    mutant("totals-without-pages", "migration/dest.c", "wire_load(p, 8) != d->pages ||", "",
           STREAM),
    mutant("totals-without-bytes", "migration/dest.c", "|| wire_load(p + 8, 8) != bytes ||",
           "|| bytes == 0 ||", STREAM),
    mutant("totals-without-sections", "migration/dest.c",
           "wire_load(p + 16, 8) != s->sequence ||", "", STREAM),
    mutant("totals-without-hash", "migration/dest.c", "|| wire_load(p + 24, 8) != hash)",
           "|| hash == 0)", STREAM),
    mutant("error-sticks-not", "migration/stream.c", "if (r->error.fault) return -EBADMSG;", "",
           STREAM),
    mutant("first-error-not-kept", "migration/stream.c", "if (e->fault == STREAM_NONE) {",
           "if (fault) {", STREAM),

    # The destination.
    mutant("dest-zero-page-not-written", "migration/dest.c",
           "return clear_pages(d, index, first, entry->npages);",
           "return clear_pages(d, index, first + 1, entry->npages - 1);", ENGINE),
    mutant("dest-writes-the-page-before", "migration/dest.c",
           "u64 first = entry->gfn - d->cfg.slots[index].base;",
           "u64 first = entry->gfn - d->cfg.slots[index].base; first -= first > 0;", ENGINE),
    mutant("dest-decodes-in-place", "migration/dest.c",
           "err = ram_entry_decode(entry, d->page, d->error); if (!err) "
           "memcpy(d->ops->page(d->ctx, index, first), d->page, PAGE_SIZE);",
           "err = ram_entry_decode(entry, d->ops->page(d->ctx, index, first), d->error);", STREAM),
    mutant("dest-runs-before-it-answers", "migration/dest.c",
           "err = answer(d, VERDICT_TAKEN, \"\"); if (err) return err; d->stage = DEST_RUNNING; "
           "d->ops->resume(d->ctx);",
           "d->ops->resume(d->ctx); err = answer(d, VERDICT_TAKEN, \"\"); if (err) return err; "
           "d->stage = DEST_RUNNING;", ENGINE),
    mutant("dest-failed-is-not-told", "migration/dest.c",
           "(void)!answer(d, VERDICT_FAILED, text);", "(void)text;", ENGINE),
    mutant("dest-failed-is-not-given-up", "migration/dest.c",
           "if (d->created) d->ops->abandon(d->ctx);", "", ENGINE),
    mutant("dest-verified-without-memory", "migration/dest_verify.c",
           "if (flags & VERIFY_MEMORY) err = compare_memory(d, s->payload);", "", ENGINE),
    mutant("dest-verify-skips-the-last-page", "migration/dest_verify.c",
           "page < slot->npages; page++", "page < slot->npages - 1; page++", ENGINE),
    mutant("states-not-compared", "migration/state_hash.c",
           "err = compare(desc, instance, buf, in, e);", "(void)instance;", ENGINE),
    mutant("states-compared-as-received", "migration/state_hash.c",
           "memset(buf, pattern, desc->size); return set->ops->save(set->ctx, index, buf);",
           "(void)pattern; (void)desc; return set->ops->save(set->ctx, index, buf);", ENGINE),

    # The source.
    mutant("first-round-not-complete", "migration/round.c",
           "if (m->info.rounds == 1) bitmap_set_range(m->bits, 0, npages);", "", ENGINE),
    mutant("last-round-without-a-chunk", "migration/round.c",
           "!err && p < npages; p += MIGRATION_CHUNK_PAGES",
           "!err && p < npages && !(final && p); p += MIGRATION_CHUNK_PAGES", ENGINE),
    mutant("last-batch-not-sent", "migration/round.c",
           "if (!err) err = ram_batch_flush(&m->batch);", "", ENGINE),
    mutant("zero-run-not-closed", "migration/stream_ram.c",
           "if (b->run_pages && (data || gfn != b->run_gfn + b->run_pages)) close_run(b);",
           "if (b->run_pages && data) close_run(b);", STREAM),
    mutant("batch-of-two-slots", "migration/stream_ram.c",
           "if (!empty && (slot != b->slot || !room_for_page(b))) {",
           "if (!empty && !room_for_page(b)) {", STREAM),
    mutant("written-while-paused-not-noticed", "migration/switchover.c", "if (dirty) return "
           "migration_fail(", "if (false) return migration_fail(", ENGINE),
    mutant("states-before-the-last-round", "migration/switchover.c",
           "err = migration_round(m, true); if (!err) err = send_states(m);",
           "err = send_states(m); if (!err) err = migration_round(m, true);", ENGINE),
    mutant("verdict-not-read", "migration/switchover.c",
           "err = migration_answer(m, VERDICT_VERIFIED);", "(void)migration_answer;", ENGINE),
    mutant("any-verdict-will-do", "migration/switchover.c", "if (verdict != wanted)",
           "if (verdict != wanted && !wanted)", ENGINE),
    mutant("failed-verdict-will-do", "migration/switchover.c", "if (verdict == VERDICT_FAILED)",
           "if (false)", ENGINE),
    mutant("given-away-and-taken-back", "migration/switchover.c", "m->given_away = true;", ";",
           ENGINE),
    mutant("given-away-in-doubt-is-taken-back", "migration/switchover.c",
           "if (!err || m->ops->dest_runs(m->ctx))", "if (!err)", ENGINE),
    mutant("source-not-resumed", "migration/engine.c", "m->ops->resume(m->ctx);", "", ENGINE),
    mutant("source-logs-for-ever", "migration/engine.c",
           "if (m->logging) m->ops->log_stop(m->ctx);", "", ENGINE),
    mutant("source-throttled-for-ever", "migration/engine.c",
           "if (m->info.throttle) m->ops->throttle(m->ctx, 0);", "", ENGINE),
    mutant("cancel-not-seen", "migration/engine.c",
           "return __atomic_load_n(&m->cancel, __ATOMIC_ACQUIRE) ? -ECANCELED : 0;", "return 0;",
           ENGINE),
    mutant("downtime-limit-ignored", "migration/engine.c",
           "if (m->info.expected_downtime_ns <= m->params.downtime_limit_ns ||",
           "if (m->info.rounds > 1 ||", ENGINE),
    mutant("rounds-without-end", "migration/engine.c",
           "|| m->info.rounds >= m->params.max_rounds)", ")", ENGINE),
]
