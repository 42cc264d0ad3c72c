/** Roles of a member of a tenant, the highest first. */
export const MEMBER_ROLES = ["owner", "admin", "member"] as const;
export type MemberRole = (typeof MEMBER_ROLES)[number];
/** A role, or no membership at all. */
export type TargetRole = MemberRole | "none";
