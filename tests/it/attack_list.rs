//! The attack list: every known way to deceive a ledger in git or to get a claim past its gate, each with the tests
//! that show the answer.
//!
//! ```text
//! 1 to 14    history           25 to 42   objects and repositories
//! 15 to 24   keys and time     43 to 58   past the claim gate
//! ```

use crate::census;

/// Attack, and the names of the tests.
const ROWS: &[(u8, &str, &[&str])] = &[
    (
        1,
        "a key holder rewrites history and signs it again",
        &[
            "a_ledger_is_neither_deleted_nor_rewritten_nor_written_by_hand",
            "a_cut_tail_and_a_second_history_are_seen",
            "only_a_beginning_of_the_ledger_verifies",
        ],
    ),
    (
        2,
        "a fork shown to some",
        &[
            "heads_only_go_forward_and_forks_are_kept",
            "a_cut_tail_and_a_second_history_are_seen",
            "attack_2_two_auditors_compare_their_heads_by_mail",
        ],
    ),
    (
        3,
        "the tail cut off",
        &["a_cut_tail_and_a_second_history_are_seen", "a_pin_and_a_remembered_head_close_their_gaps"],
    ),
    (
        4,
        "the head cut off, a new genesis",
        &["a_second_genesis_is_refused", "a_merge_and_a_second_beginning", "another_id_is_not_this_ledger"],
    ),
    (
        5,
        "an entry replayed in the same ledger",
        &["nothing_counts_twice", "entries_that_are_moved_left_out_or_doubled_break_the_chain"],
    ),
    (6, "an entry replayed in another ledger", &["an_entry_of_another_ledger_or_place_is_refused"]),
    (7, "entries in another order", &["entries_that_are_moved_left_out_or_doubled_break_the_chain"]),
    (
        8,
        "a merge commit",
        &[
            "a_merge_into_a_ledger_is_refused",
            "a_merge_and_a_second_beginning",
            "trees_with_links_executables_odd_names_or_a_second_parent_are_refused",
        ],
    ),
    (
        9,
        "the ref deleted and made anew",
        &[
            "deleting_rewriting_or_renaming_a_ledger_is_refused_and_a_new_ledger_is_not",
            "a_hardened_server_refuses_deletions_by_itself",
            "attack_9_a_ledger_that_was_deleted_on_the_servers_disk_is_not_begun_anew",
        ],
    ),
    (
        10,
        "a forced push",
        &[
            "deleting_rewriting_or_renaming_a_ledger_is_refused_and_a_new_ledger_is_not",
            "a_ledger_is_neither_deleted_nor_rewritten",
        ],
    ),
    (
        11,
        "the server's own disk: update-ref, an old backup",
        &[
            "heads_only_go_forward_and_forks_are_kept",
            "a_pin_and_a_remembered_head_close_their_gaps",
            "attack_11_a_server_restored_from_an_old_backup_takes_what_it_had_and_nothing_instead",
        ],
    ),
    (
        12,
        "a run that is never recorded",
        &[
            "attack_12_a_rehearsal_that_was_begun_is_missed_until_it_is_recorded",
            "a_withheld_rehearsal_leaves_a_gap_until_it_is_recorded",
        ],
    ),
    (13, "a stale ledger that is valid", &["a_frozen_checkpoint_is_told_by_its_age"]),
    (
        14,
        "two appends at once",
        &[
            "two_clones_that_push_at_once_both_end_up_on_the_server",
            "eight_processes_append_once_each",
            "a_lost_race_is_told_and_mended_and_nothing_is_lost",
        ],
    ),
    (
        15,
        "a stolen key, new entries",
        &["attack_15_what_a_stolen_key_signed_is_suspect_until_an_auditor_confirms"],
    ),
    (
        16,
        "a retired key and an old date",
        &[
            "a_key_that_expired_and_an_old_date",
            "a_key_counts_between_its_positions",
            "attack_16_a_retired_key_is_refused_whatever_date_it_writes",
        ],
    ),
    (
        17,
        "the list of revoked keys taken away",
        &["a_revocation_file_that_is_missing", "attack_17_the_list_of_ended_keys_cannot_be_left_out"],
    ),
    (
        18,
        "an attacker's own key in the same push",
        &[
            "an_attacker_without_the_registered_keys_gets_nowhere",
            "only_an_owner_of_the_genesis_can_begin",
            "attack_18_nobody_adds_the_own_key",
        ],
    ),
    (19, "an old policy brought back", &["attack_19_a_policy_only_tightens"]),
    (
        20,
        "wildcards, certificates and other key types in allowed_signers",
        &["the_exported_signers_are_those_who_may_sign_entries", "other_key_types_and_rubbish_are_refused"],
    ),
    (
        21,
        "a key that nobody knows",
        &[
            "an_unknown_key_that_does_not_spoil_the_exit",
            "an_attacker_without_the_registered_keys_gets_nowhere",
            "attack_21_a_key_that_nobody_registered_establishes_nothing",
        ],
    ),
    (
        22,
        "a signature that was made for another purpose",
        &["a_signature_for_another_purpose_or_message_is_refused", "another_payload_type_never_counts"],
    ),
    (
        23,
        "a malleated signature, another spelling",
        &[
            "a_signature_that_was_malleated_is_refused_in_both_places",
            "the_armor_wrapped_at_another_column",
            "keys_of_small_order_and_second_spellings_are_refused",
        ],
    ),
    (24, "a witness and an operator together", &["one_house_alone_is_no_quorum"]),
    (
        25,
        "replace refs",
        &["a_replace_ref_that_shows_a_signed_decoy", "replace_refs_are_reported_and_not_followed"],
    ),
    (
        26,
        "grafts",
        &["a_graft_that_cuts_the_history_off_or_adds_to_it", "grafts_are_reported_and_not_followed"],
    ),
    (
        27,
        "shallow clones, missing objects",
        &[
            "a_shallow_clone",
            "a_shallow_clone_is_reported_and_its_chain_ends_with_a_missing_object",
            "nothing_and_a_shallow_clone_are_not_established",
        ],
    ),
    (
        28,
        "two objects with one SHA-1",
        &[
            "a_swapped_an_empty_a_truncated_and_a_missing_object_are_told_apart_from_a_good_one",
            "no_byte_prefix_or_line_of_a_file_is_irrelevant",
        ],
    ),
    (
        29,
        "headers twice, unsigned, unknown; text around the armor",
        &[
            "headers_added_after_signing",
            "text_behind_the_armor",
            "headers_twice_and_headers_of_other_kinds",
            "a_second_signature_made_without_the_key",
            "what_stock_git_leaves_unsigned_is_refused",
        ],
    ),
    (
        30,
        "NUL, CR, escape sequences and direction marks",
        &[
            "text_behind_a_nul_that_the_log_does_not_show",
            "what_the_ledger_says_is_text",
            "terminals_are_not_steered",
        ],
    ),
    (
        31,
        "symbolic links, submodules, odd modes",
        &[
            "trees_with_links_executables_odd_names_or_a_second_parent_are_refused",
            "a_linked_and_a_deep_file_are_refused",
        ],
    ),
    (
        32,
        ".git, .., git~1, slashes, names twice",
        &[
            "names_that_other_systems_misread_are_refused",
            "hostile_paths_are_refused",
            "a_tree_out_of_order_or_with_twins_is_refused",
        ],
    ),
    (
        33,
        "names that differ by case, CON, a line feed in a name",
        &[
            "names_that_differ_by_case_only_are_one_name",
            "hostile_paths_are_refused",
            "r52_r53_there_is_one_spelling_of_a_manifest",
        ],
    ),
    (
        34,
        "huge, many, deep; bombs; slow patterns",
        &[
            "what_is_made_to_exhaust_the_gate_is_bounded",
            "an_entry_that_promises_more_than_the_limit_is_not_inflated",
            "limits_are_named",
            "a_report_is_bounded_and_its_exit_code_is_not",
        ],
    ),
    (
        35,
        "filters, attributes, LFS pointers",
        &["missing_and_unknown_files_are_named", "files_that_are_signed_but_not_claimed_are_refused"],
    ),
    (
        36,
        "the environment, alternates, a hostile configuration",
        &[
            "a_child_gets_only_what_is_listed",
            "a_clone_that_borrows_its_objects_is_read",
            "r31_the_environment_of_a_rehearsal_asks_too",
        ],
    ),
    (
        37,
        "a packet that changes under the hand",
        &[
            "attack_37_every_file_of_a_packet_is_opened_once_so_nothing_changes_between_two_readings",
            "no_byte_prefix_or_line_of_a_file_is_irrelevant",
            "r52_a_packet_sealed_again_over_a_change_is_refused_and_only_read",
        ],
    ),
    (
        38,
        "a manifest that lies",
        &["r53_extra_missing_and_changed_files_are_refused", "r52_r53_there_is_one_spelling_of_a_manifest"],
    ),
    (
        39,
        "the program's own notes changed",
        &[
            "an_index_that_is_gone_damaged_or_cut_is_made_again",
            "a_truncated_memory_of_heads_is_told_and_not_taken_for_none",
            "a_forged_commit_graph_is_not_believed",
        ],
    ),
    (
        40,
        "objects in the pack that no ref reaches",
        &[
            "objects_that_are_there_but_reachable_from_no_ref_count_as_new",
            "attack_40_objects_that_no_ref_reaches_are_no_entries_and_are_looked_at_when_one_does",
        ],
    ),
    (
        41,
        "an older format, an unknown kind",
        &[
            "an_unknown_kind_and_a_huge_commit_have_their_own_refusals",
            "a_packet_of_an_unknown_format_is_refused_for_its_format",
        ],
    ),
    (
        42,
        "keys twice, huge numbers, depth in JSON",
        &["each_refusal_has_an_accepted_twin", "json_parsing", "what_serde_would_forgive_is_refused"],
    ),
    (
        43,
        "--no-verify, core.hooksPath, another client",
        &[
            "a_claim_in_any_channel_is_refused_on_both_sides_and_the_same_push_without_it_is_not",
            "a_ledger_is_neither_deleted_nor_rewritten_nor_written_by_hand",
        ],
    ),
    (
        44,
        "hooks that are missing or written over",
        &[
            "a_second_earlier_hook_is_not_written_over_the_first",
            "a_missing_program_refuses_and_says_so",
            "a_server_whose_program_is_gone_takes_nothing",
        ],
    ),
    (
        45,
        "a host without server hooks",
        &["the_templates_own_commands_judge_good_and_bad_ranges_as_the_server_would"],
    ),
    (
        46,
        "a hook that does not see the quarantine",
        &["what_is_missing_is_refused", "a_ledgers_new_entries_are_found_in_the_quarantine"],
    ),
    (
        47,
        "entries on another branch, tag or note",
        &[
            "entries_on_another_ref_are_refused_and_a_tag_on_the_ledger_is_not",
            "entries_stand_nowhere_else",
            "an_entrys_trailer_is_seen_in_any_dress_and_its_mention_is_not",
        ],
    ),
    (
        48,
        "names, tags, options, notes",
        &[
            "every_channel_of_a_push_refuses_every_disguise_and_takes_its_twin",
            "no_name_message_note_identity_or_option_carries_a_claim",
        ],
    ),
    (
        49,
        "look-alikes",
        &[
            "a_token_with_any_one_look_alike_is_refused",
            "every_disguise_in_every_encoding_is_refused_in_every_channel_and_its_twin_is_not",
        ],
    ),
    (
        50,
        "what is invisible",
        &[
            "every_disguise_in_every_encoding_is_refused_in_every_channel_and_its_twin_is_not",
            "every_character_that_is_not_seen_is_read_over",
        ],
    ),
    (51, "escapes", &["every_disguise_in_every_encoding_is_refused_in_every_channel_and_its_twin_is_not"]),
    (
        52,
        "encodings within encodings",
        &[
            "an_encoding_within_an_encoding_is_refused_and_its_twin_is_not",
            "one_encoding_more_than_the_limit_is_refused_as_undecidable",
        ],
    ),
    (
        53,
        "a claim in pieces",
        &[
            "a_packet_is_read_with_its_neighbours",
            "a_claim_cut_in_two_anywhere_is_put_together",
            "attack_53_a_claim_cut_over_the_entries_of_one_run_is_put_together",
        ],
    ),
    (
        54,
        "case, separators, digits for letters",
        &[
            "every_disguise_in_every_encoding_is_refused_in_every_channel_and_its_twin_is_not",
            "plain_claims_are_refused_where_the_ledger_speaks",
        ],
    ),
    (55, "a claim by structure", &["structure_claims_and_its_twins_do_not"]),
    (
        56,
        "pictures and other binary files",
        &[
            "what_cannot_be_looked_into_is_refused_in_a_packet_and_let_through_on_an_ordinary_ref",
            "a_packet_is_read_with_its_neighbours",
        ],
    ),
    (
        57,
        "the policy weakened first",
        &[
            "a_change_may_add_and_never_take_away",
            "a_new_ledger_begins_with_no_less_than_the_default_policy_and_claims_nothing_in_it",
            "no_document_below_the_floor_is_a_policy",
        ],
    ),
    (
        58,
        "a gate that lets everything through",
        &[
            "a_blind_gate_is_found_out",
            "the_selftest_pushes_bad_packets_through_the_hook_and_tells_what_got_through",
        ],
    ),
];

/// Attacks whose answer no test shows.
const OPEN: &[u8] = &[];

#[test]
fn every_attack_names_tests_that_exist() {
    let tests = census::tests();
    let named = ROWS.iter().flat_map(|(number, _, names)| names.iter().map(move |name| (*number, *name)));
    let missing: Vec<_> = named.filter(|(_, name)| !tests.contains(*name)).collect();
    assert_eq!(missing, []);
    let numbers: Vec<u8> = ROWS.iter().map(|(number, _, _)| *number).collect();
    assert_eq!(numbers, (1..=58).collect::<Vec<u8>>());
    let open: Vec<u8> =
        ROWS.iter().filter(|(_, _, names)| names.is_empty()).map(|(number, _, _)| *number).collect();
    assert_eq!(open, OPEN);
}
