/** Parameters whose value is a list that is quoted already: quoted once more it would be one name. */
export const QUOTED_LISTS: readonly string[] = [
  "search_path",
  "temp_tablespaces",
  "session_preload_libraries",
  "local_preload_libraries",
];
