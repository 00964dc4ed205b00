"""A cluster that takes long to start is not replaced for ever."""

from orchestrator.engine.workers.supervisor import FROZEN_AFTER, LONGEST_PATIENCE, Patience


class TestPatience:
    def test_grows_with_every_cluster_that_did_nothing(self):
        patience, given = Patience(), []
        for _ in range(6):
            given.append(patience.seconds)
            patience.in_vain()

        assert given == [FROZEN_AFTER, 10, 20, 40, LONGEST_PATIENCE, LONGEST_PATIENCE]

    def test_is_short_again_once_one_works(self):
        patience = Patience()
        patience.in_vain()
        patience.it_works()

        assert patience.seconds == FROZEN_AFTER
