"""Promotion: a candidate is judged by a criterion on figures that were measured, and the decision is kept."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from modelyard_contracts.registry import PromotionApproved, PromotionRejected, PromotionRequested
from modelyard_platform import idempotency, outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from registry.domain.promotion import decide_promotion
from registry.store import assets, promotions
from registry.usecases.assets import SOURCE, find

CHAMPION: Final = "champion"


async def request_promotion(
    pool: Pool, cause: Cause, *, model: str, candidate: str, criterion: str, evidence: dict[str, Any], key: str | None
) -> dict[str, Any]:
    """Judge `candidate` against the version called `champion`. Approval does not deploy: it says that it may take the champion's place.

    `evidence` holds `candidate` and `champion`, each a mapping of metrics measured on the same rows, and whatever else explains them.
    Raises AssetNotFoundError for a missing version and InvalidError for a criterion that cannot be judged.
    """
    request = {"model": model, "candidate": candidate, "criterion": criterion, "evidence": evidence}
    async with transaction(pool) as tx:
        if (done := await idempotency.answered(tx, cause, key, request)) is not None:
            return done
        found = await find(tx, cause.workspace, "models", model, candidate)
        champion = await assets.require_label(tx, cause.workspace, "models", model, CHAMPION)
        decision = decide_promotion(criterion, evidence.get("candidate", {}), evidence.get("champion", {}))
        promotion = f"promotion-{uuid4().hex[:12]}"
        common: dict[str, Any] = {
            "name": model,
            "version": found.version,
            "promotion": promotion,
            "champion": champion.version,
            "criterion": criterion,
            "evidence": evidence,
        }
        requested = await outbox.add(tx, SOURCE, PromotionRequested(**common), cause)
        because = cause.because_of(str(requested.id))
        if decision.approved:
            await outbox.add(tx, SOURCE, PromotionApproved(**common), because)
        else:
            await outbox.add(tx, SOURCE, PromotionRejected(**common, detail=decision.detail), because)
        answer = await promotions.insert_promotion(
            tx,
            cause.workspace,
            id_=promotion,
            model=model,
            candidate=found.version,
            champion=champion.version,
            criterion=criterion,
            evidence=evidence,
            status="approved" if decision.approved else "rejected",
            detail=decision.detail,
            decided_by=cause.actor,
        )
        await idempotency.remember(tx, cause, key, request, answer)
        return answer
