# containers ran when the cable was pulled
ended_by_the_host
