//! Every row with the tests that show it.

use crate::census;

/// Row, and the names of the tests.
const ROWS: &[(&str, &[&str])] = &[
    ("R01", &["r01_front_matter_is_complete", "r01_r02_r03_the_front_matter_is_the_plans"]),
    ("R02", &["r02_r03_dates_and_macro_agree", "r01_r02_r03_the_front_matter_is_the_plans"]),
    ("R03", &["r02_r03_dates_and_macro_agree", "the_macro_id_is_the_prefix_and_a_date"]),
    (
        "R04",
        &[
            "r04_the_decision_is_the_one_value",
            "a_rehearsal_consumes_one_grant_that_fits",
            "a_grant_needs_owners_who_are_not_its_operator_alone",
            "a_grant_ends_by_position",
            "nothing_counts_twice",
        ],
    ),
    ("R05", &["r05_the_final_status_follows_the_evidence", "r05_the_final_status_is_derived"]),
    ("R06", &["r06_r07_r08_r09_each_flag_is_false_by_evidence"]),
    ("R07", &["r06_r07_r08_r09_each_flag_is_false_by_evidence"]),
    ("R08", &["r06_r07_r08_r09_each_flag_is_false_by_evidence"]),
    (
        "R09",
        &[
            "r06_r07_r08_r09_each_flag_is_false_by_evidence",
            "r09_a_secret_in_any_file_of_a_packet_is_refused",
        ],
    ),
    (
        "R10",
        &[
            "r10_every_step_of_the_pattern_has_one_leg",
            "r10_the_pattern_and_both_kinds_of_digests_are_in_the_proof",
        ],
    ),
    ("R11", &["r11_r42_r43_exactly_one_unknown_with_its_class_and_blocker"]),
    (
        "R12",
        &["r12_r13_the_previous_decision_is_hold", "r12_r13_the_decision_continues_its_parent_and_holds"],
    ),
    (
        "R13",
        &["r12_r13_the_previous_decision_is_hold", "r12_r13_the_decision_continues_its_parent_and_holds"],
    ),
    ("R14", &["r14_every_step_names_the_clone"]),
    ("R15", &["r15_later_legs_quote_the_lock"]),
    ("R16", &["r16_the_clone_is_private", "a_linked_source_is_refused_and_the_file_itself_is_not"]),
    (
        "R17",
        &[
            "r17_isolation_has_a_technical_proof_for_each_contact",
            "every_wrong_answer_and_every_control_that_did_not_reach_is_refused",
            "both_levels_are_proven",
        ],
    ),
    ("R18", &["r18_no_step_is_missing_and_no_failure_hidden"]),
    ("R19", &["r19_read_only_leaves_rows_bytes_and_names"]),
    (
        "R20",
        &[
            "r20_the_transaction_stays_open_and_changes_something",
            "a_statement_that_rolls_back_by_itself_proves_nothing_and_leaves_nothing",
            "the_rehearsals_transaction_cannot_be_ended",
        ],
    ),
    (
        "R21",
        &[
            "r21_the_snapshot_is_of_before_and_is_what_came_back",
            "a_copy_is_digested_as_the_original_and_replaces_what_was_there",
        ],
    ),
    (
        "R22",
        &[
            "r22_the_executable_is_the_pinned_one_and_the_clone_is_sound",
            "the_executable_is_within_reach_outside_of_the_walls_alone",
        ],
    ),
    ("R23", &["r23_the_validators_result_is_reached_again_from_its_inputs"]),
    ("R24", &["r24_every_rollback_entry_changed_something", "r24_a_change_that_changes_nothing_is_no_proof"]),
    (
        "R25",
        &["r25_every_rollback_hash_restores_before", "r25_a_rollback_script_that_forgets_a_row_is_refused"],
    ),
    ("R26", &["r26_every_vector_is_judged_rightly", "r26_the_selftest_counts_both_sides"]),
    ("R27", &["r27_the_fabricated_entry_is_in_the_run_and_refused_for_its_own_reason"]),
    (
        "R28",
        &[
            "r28_the_pin_is_whole_and_comes_from_the_policy",
            "a_pin_is_added_behind_every_other_byte",
            "a_further_typed_place_loosens_and_a_further_pin_does_not",
        ],
    ),
    (
        "R29",
        &[
            "r29_ten_of_ten_are_refused_for_their_own_reason_and_the_control_is_allowed",
            "r29_a_probe_that_nobody_knows_has_not_held",
            "r29_r40_the_probe_report_is_reached_again",
            "r29_ten_of_ten_through_the_program_and_the_control",
        ],
    ),
    ("R30", &["r30_production_is_no_target_in_any_form_of_its_name", ASKED]),
    ("R31", &["r31_to_r34_forbidden_words_in_any_case_and_joining", "r31_the_environment_asks_too", ASKED]),
    ("R32", &["r31_to_r34_forbidden_words_in_any_case_and_joining", ASKED]),
    ("R33", &["r31_to_r34_forbidden_words_in_any_case_and_joining", ASKED]),
    ("R34", &["r31_to_r34_forbidden_words_in_any_case_and_joining", ASKED]),
    ("R35", &["r35_secrets_are_found_and_their_twins_are_not", "r31_to_r35_the_plan_asks_too", ASKED]),
    ("R36", &["r36_a_proof_that_is_absent_empty_or_anothers_is_refused"]),
    ("R37", &["r24_every_rollback_entry_changed_something", "r24_a_change_that_changes_nothing_is_no_proof"]),
    (
        "R38",
        &[
            "r38_a_level_below_the_policys_minimum_is_refused",
            "r17_isolation_has_a_technical_proof_for_each_contact",
        ],
    ),
    (
        "R39",
        &["nothing_can_be_typed_by_hand", "r54_bad_evidence_is_written_and_its_packet_is_never_accepted"],
    ),
    ("R40", &["r40_a_rehearsal_that_fails_has_no_control", "r29_r40_the_probe_report_is_reached_again"]),
    (
        "R41",
        &[
            "r41_a_token_in_any_file_of_a_packet_is_refused",
            "every_disguise_in_every_encoding_is_refused_in_every_channel_and_its_twin_is_not",
            "a_claim_in_any_channel_is_refused_on_both_sides_and_the_same_push_without_it_is_not",
        ],
    ),
    ("R42", &["r42_r43_r44_the_unknown_stays_unknown"]),
    ("R43", &["r42_r43_r44_the_unknown_stays_unknown"]),
    ("R44", &["r42_r43_r44_the_unknown_stays_unknown", "r14_every_step_names_the_clone"]),
    (
        "R45",
        &[
            "r45_the_map_counts_and_names_each_blocker_once",
            "r45_r46_r48_r49_nothing_is_closed_met_or_proven_by_a_packet",
            "a_blocker_map_continues_a_known_one_and_loses_no_blocker",
        ],
    ),
    ("R46", &["r45_r46_r48_r49_nothing_is_closed_met_or_proven_by_a_packet"]),
    ("R47", OPEN),
    ("R48", &["r45_r46_r48_r49_nothing_is_closed_met_or_proven_by_a_packet"]),
    ("R49", &["r45_r46_r48_r49_nothing_is_closed_met_or_proven_by_a_packet"]),
    ("R50", &["r50_thirteen_surfaces_each_with_its_proof"]),
    (
        "R51",
        &[
            "r51_commands_sh_says_overall_pass_only_where_every_step_ran_and_held",
            "r51_a_child_that_dies_or_speaks_for_the_whole_is_not_believed",
        ],
    ),
    (
        "R52",
        &[
            "r52_rerun_sh_compares_every_byte_in_a_scratch_copy",
            "r52_a_packet_sealed_again_over_a_change_is_refused_and_only_read",
            "r52_a_rerun_reaches_the_packet_and_another_source_does_not",
        ],
    ),
    (
        "R53",
        &[
            "r53_a_packets_own_manifest_is_accepted",
            "r53_extra_missing_and_changed_files_are_refused",
            "r52_r53_there_is_one_spelling_of_a_manifest",
            "r53_every_changed_byte_of_both_files_is_refused",
        ],
    ),
    (
        "R54",
        &[
            "r54_r55_the_boundary_stands_word_for_word",
            "r54_bad_evidence_is_written_and_its_packet_is_never_accepted",
        ],
    ),
    ("R55", &["r54_r55_the_boundary_stands_word_for_word"]),
    (
        "R56",
        &[
            "r56_the_default_is_hold",
            "r56_no_ledger_a_broken_one_and_no_variable_say_other_than_hold",
            "a_server_without_its_program_takes_nothing",
            "a_missing_program_refuses_and_says_so",
        ],
    ),
    ("R57", &["r57_the_readme_says_what_the_documents_say", "readme_says_what_the_source_document_says"]),
];

const ASKED: &str =
    "r30_to_r35_what_is_asked_for_by_variable_option_or_plan_is_refused_before_anything_is_written";
/// R47 needs a dump signed by the operator; that none of it is claimed, the blocker map's test shows.
const OPEN: &[&str] = &["r45_r46_r48_r49_nothing_is_closed_met_or_proven_by_a_packet"];

/// The extended probes that apply to SQLite (`setval`, `COPY PROGRAM` and row-level security are PostgreSQL's).
const EXTENDED: &[(&str, &str)] = &[
    ("WAL-hidden mutation", "r24_every_rollback_entry_changed_something"),
    ("stale -wal after restore", "a_copy_is_digested_as_the_original_and_replaces_what_was_there"),
    ("dbhash-style column shift", "what_dbhash_confuses_is_told_apart"),
    ("user COMMIT", "transaction_verbs_are_refused_inside_and_allowed_where_the_plan_says_so"),
    ("INSERT OR ROLLBACK, RAISE(ROLLBACK)", "a_statement_that_rolls_back_by_itself_ends_the_script"),
    ("SAVEPOINT, RELEASE", "savepoints_stay_inside"),
    ("ATTACH, VACUUM INTO, load_extension", "every_way_out_of_the_clone_is_refused"),
    ("symlinked source", "a_linked_source_is_refused_and_the_file_itself_is_not"),
    ("symlinked clone", "r16_the_clone_is_private"),
    ("source written during cloning", "a_source_that_is_written_while_it_is_cloned_is_refused"),
    ("unix socket reachable, control refused", "r17_isolation_has_a_technical_proof_for_each_contact"),
    ("non-deterministic migration", "chance_and_the_clock_are_found_out_and_nothing_unrepeatable_is_kept"),
    ("disk full", "a_disk_that_fills_up_is_told_and_nothing_is_left"),
    ("evidence from another clone", "r36_a_proof_that_is_absent_empty_or_anothers_is_refused"),
    ("manifest with extra file", "r53_extra_missing_and_changed_files_are_refused"),
    ("validator with one flipped bit", "r22_the_executable_is_the_pinned_one_and_the_clone_is_sound"),
];

#[test]
fn every_row_names_tests_that_exist() {
    let tests = census::tests();
    let exists = |name: &str| tests.contains(name);
    let extended = EXTENDED.iter().map(|(row, test)| (*row, std::slice::from_ref(test)));
    let all = ROWS.iter().copied().chain(extended);
    let missing: Vec<_> = all
        .flat_map(|(row, names)| names.iter().map(move |n| (row, *n)))
        .filter(|(_, n)| !exists(n))
        .collect();
    assert_eq!(missing, []);
    let rows: Vec<String> = ROWS.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(rows, (1..=57).map(|n| format!("R{n:02}")).collect::<Vec<_>>());
    assert!(ROWS.iter().all(|(_, names)| !names.is_empty()));
}
