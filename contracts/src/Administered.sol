// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @title One owner, handed over in two steps and never given up, who can pause.
/// @dev What a pause stops, and what it deliberately leaves possible, is said by each contract.
abstract contract Administered is Ownable2Step, Pausable {
    /// @param admin The first owner.
    constructor(address admin) Ownable(admin) {}

    /// @notice Starts the pause.
    function pause() external onlyOwner {
        _pause();
    }

    /// @notice Ends the pause.
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @notice Always refused: a paused contract without an owner would stay paused for ever.
    function renounceOwnership() public view override onlyOwner {
        revert OwnableInvalidOwner(address(0));
    }
}
